"""Scoring: every test segment and nothing else, the same in one process and in two; leaks of the future are caught."""

import csv
import math

import numpy as np
import pytest
import torch
from strangers import library, shifted

from avatarlab.core.errors import InputError
from avatarlab.evaluate.tables import write_csv
from avatarlab.motion import models
from avatarlab.motion.evaluate import Bench, SegmentJob, chosen, gather, jobs, leaks, means, score, tables
from avatarlab.motion.evaluate.dropout import (
    AFTER,
    BEFORE,
    LOST,
    TOLD,
    curves,
    long_enough,
    losing,
    seconds,
    without,
)
from avatarlab.motion.evaluate.metrics import METRICS
from avatarlab.motion.evaluate.segments import FIGURES, JOINTS, evenly, portions, row


@pytest.fixture(scope="module")
def known():
    return library(frames=600)


@pytest.fixture(scope="module")
def path(known, tmp_path_factory):
    file = tmp_path_factory.mktemp("scoring") / "motion.npz"
    known.save(file)
    return file


@pytest.fixture(scope="module")
def at(path):
    return Bench.load(path, "pretrained")


@pytest.fixture(scope="module")
def rows(path, known):
    return gather(path, jobs(known, ["mean", "ridge"], known.splits), workers=0)


class Echo:
    """A model that says the truth, or what is ``early`` frames ahead of it."""

    def __init__(self, motion, early=0):
        self.motion, self.early = motion, early

    def predict(self, trackers):
        return shifted(self.motion, self.early)


class Prophet:
    """A causal model, but for one number: it adds a hair of the last frame's height to every frame's place."""

    def __init__(self, model):
        self.model = model

    def predict(self, trackers):
        pred = self.model.predict(trackers)
        return pred._replace(trans=pred.trans + 1e-5 * trackers.positions[-1, 0])


def test_every_test_segment_is_scored_once_and_no_other(rows, known):
    for split in known.splits:
        for name in ("mean", "ridge"):
            mine = [r["segment"] for r in rows if (r["split"], r["model"]) == (split, name)]
            assert mine == known.split(split)[1] and mine


def test_no_clip_and_no_held_out_subject_is_on_both_sides(known):
    for split in known.splits:
        train, test = known.split(split)
        assert not {known.clips[k] for k in train} & {known.clips[k] for k in test}
    train, test = known.split("heldout")
    assert not {known.subjects[k] for k in train} & {known.subjects[k] for k in test}


def test_the_truth_itself_has_no_error(at):
    found = row(at, "heldout", "truth", 0, at.truth(0))
    for key in METRICS:
        expected = found.get(f"truth_{key}", 0.0)
        assert found[key] == pytest.approx(expected, nan_ok=True), key
    assert [found[joint] for joint in JOINTS] == [0.0] * 22


def test_joint_errors_average_to_the_mpjpe(rows):
    for one in rows[:3]:
        assert np.mean([one[joint] for joint in JOINTS]) == pytest.approx(one["mpjpe_cm"])


def test_two_processes_say_what_one_says(path, known, rows):
    heard = []
    again = gather(path, jobs(known, ["mean", "ridge"], known.splits), workers=2, progress=heard.append)
    assert [existing(one) for one in again] == [existing(one) for one in rows]
    assert heard[-1].done == heard[-1].total


def existing(one):
    """A row without figures that do not exist: NaN equals nothing."""
    return {key: value for key, value in one.items() if value == value}


def test_a_model_that_fails_is_named_and_leaves_no_gap(path, monkeypatch):
    monkeypatch.setattr(models.weights, "find", lambda *_: path.parent / "nothing.safetensors")
    with pytest.raises(InputError, match="sage, split heldout"):
        gather(path, [SegmentJob("heldout", "sage", (0,))], workers=0)
    with pytest.raises(InputError, match="expected one of mean, knn, ridge"):
        models.load("median", "heldout", library())


def test_weights_of_other_data_are_told_apart(known, tmp_path, monkeypatch):
    file = tmp_path / "motion_sage_heldout.safetensors"
    monkeypatch.setattr(models.weights, "find", lambda *_: file)
    assert not models.is_available("sage", "heldout") and models.is_available("ridge", "heldout")
    card = models.weights.card(parameters={}, metrics={}, **known.origin(known.split("heldout")[0], "heldout"))
    models.weights.save(file, {"x": torch.zeros(1)}, card)
    assert models.conditions("sage", "heldout") == (1, {})
    assert models.is_available("sage", "heldout") and models.of_this_library("sage", "heldout", known)
    assert not models.of_this_library("sage", "heldout", library(frames=480))
    assert models.of_this_library("knn", "heldout", known)


def test_jobs_keep_the_order_and_hold_every_segment(known):
    parts = portions(known, range(len(known)), frames=500)
    assert [k for part in parts for k in part] == list(range(len(known)))
    assert all(len(part) == 2 for part in parts)
    assert portions(known, []) == []
    assert [job.segments for job in jobs(known, ["mean"], ["heldout"], clips=1)] == [(0,)]


def test_a_few_segments_are_taken_evenly(known):
    assert [evenly(range(9), n) for n in (None, 3, 1, 99)] == [list(range(9)), [0, 4, 8], [0], list(range(9))]
    assert chosen(known, "heldout") == [0, 1] and chosen(known, "heldout", 1) == [0]


def test_segments_count_alike(rows):
    mine = [r["mpjpe_cm"] for r in rows if (r["split"], r["model"]) == ("heldout", "mean")]
    assert means(rows)["heldout", "mean"]["mpjpe_cm"] == pytest.approx(sum(mine) / len(mine))


@pytest.mark.parametrize("name", models.baselines.NAMES)
def test_baselines_are_causal(name, at):
    assert not leaks(at.model(name, "heldout"), at.trackers(0), 100)


def test_a_model_that_cheats_is_caught(at):
    model = at.model("ridge", "heldout")
    assert leaks(Prophet(model), at.trackers(0), 100)
    assert not leaks(Echo(at.truth(0)), at.trackers(0), 100)  # what does not look at the devices cannot leak


def test_to_be_early_costs(at):
    truth = at.truth(0)
    assert row(at, "heldout", "echo", 0, Echo(truth, 2).predict(None))["mpjpe_cm"] > 0.01


def test_a_lost_controller_stays_where_it_was_and_the_rest_goes_on(at):
    seen = at.trackers(0)
    gone = without(seen, 2, 50, 20)
    assert torch.equal(gone.positions[50:70, 2], seen.positions[49, 2].expand(20, 3))
    assert not gone.tracked[50:70, 2].any() and int((~gone.tracked).sum()) == 20
    assert torch.equal(gone.positions[70:], seen.positions[70:]) and torch.equal(
        gone.rotations[:, :2], seen.rotations[:, :2]
    )


def test_curves_of_a_lost_controller(path, known, at):
    found = curves(path, (["mean", "ridge"], "heldout", 2), workers=0)
    assert {*found} == {"mean", "ridge"} and len(seconds()) == TOLD + LOST + AFTER and seconds()[TOLD] == 0
    by_hand = losing(at, SegmentJob("heldout", "ridge", (0, 1)))
    assert np.allclose(np.mean([errors for _, errors in by_hand], 0)[0], found["ridge"].wrist_cm)
    assert found["ridge"].lost()["lost_wrist_cm"] > 0
    undisturbed = at.truth(0), at.model("ridge", "heldout").predict(at.trackers(0))
    positions = [at.skeleton.fk(*motion)[1][BEFORE - TOLD : BEFORE] for motion in undisturbed]
    plain = 100 * (positions[0] - positions[1]).norm(dim=-1).mean(1)
    assert np.allclose(by_hand[0][1][1][:TOLD], plain, atol=1e-4)


def test_too_short_segments_give_no_curve(tmp_path):
    short = library(frames=240)
    short.save(tmp_path / "short.npz")
    assert long_enough(short, "heldout", 5) == []
    assert curves(tmp_path / "short.npz", (["mean"], "heldout", 5), workers=0) == {}


def test_flat_figures_have_the_issues_names_and_are_finite(rows):
    averages = means(rows)
    found = tables.flat(averages, {"heldout": {"mean": {"mpjpe_cm": 17.5}}})
    for key in METRICS:
        if math.isfinite(averages["heldout", "ridge"][key]):
            assert found[f"heldout_ridge_{key}"] == pytest.approx(averages["heldout", "ridge"][key], abs=1e-4)
    assert found["heldout_floor_mean_mpjpe_cm"] == 17.5
    assert all(math.isfinite(value) for value in found.values())


def test_quotients_are_of_the_right_two():
    figures = dict.fromkeys(FIGURES, 2.0)
    averages = {("heldout", "avatarposer"): {**figures, "mpjpe_cm": 4.0}, ("heldout", "sage"): figures}
    averages |= {("cross", "sage"): figures}
    found = tables.ratios(averages)
    assert (
        found["heldout_sage_avatarposer_mpjpe_ratio"] == 0.5
        and found["heldout_sage_avatarposer_jitter_ratio"] == 1
    )
    assert not [key for key in found if key.startswith("cross")]


def test_the_table_has_every_model_and_the_csv_every_row(rows, tmp_path):
    text = tables.table(means(rows), {"heldout": {"mean": {"mpjpe_cm": 18.0}}}, {"heldout": {"mean": 17.52}})
    assert text.count("ridge") == 3 and text.count("truth") == 3 and "17.52" in text
    write_csv(tmp_path / "rows.csv", rows)
    with open(tmp_path / "rows.csv", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows) and float(read[0]["mpjpe_cm"]) == pytest.approx(rows[0]["mpjpe_cm"], abs=1e-3)
    assert tables.paper_table().count("\n") == len(tables.PAPER)


def test_score_asks_only_for_its_segments(at, known):
    test = known.split("random")[1]
    assert [r["segment"] for r in score(at, SegmentJob("random", "mean", tuple(test[:1])))] == test[:1]


def test_checks_of_training_take_the_first_of_each_run():
    assert [evenly(range(9), n, ends=False) for n in (0, 3, 2, 99)] == [
        list(range(9)),
        [0, 3, 6],
        [0, 4],
        list(range(9)),
    ]
