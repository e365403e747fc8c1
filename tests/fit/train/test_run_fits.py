"""Participants searched in parallel: what is there is not searched again, what fails is said, keys are whole."""

import logging

import numpy as np
import pytest

from avatarlab.core.errors import InputError
from avatarlab.fit.train import run_fits
from avatarlab.fit.train.records import load
from avatarlab.fit.train.run_fits import gather
from avatarlab.measure import MEASURES, population
from avatarlab.synthetic import Participants
from avatarlab.synthetic.participant import STEP_M
from avatarlab.synthetic.rendered import rendered_person

SHOTS = ("front", "side", "side_arms")


@pytest.fixture(scope="module")
def crowd(body, tmp_path_factory):
    """A file of two people of the body's own shape space, a man for training and a woman for calibration."""
    made = [rendered_person(body, seed, sex) for seed, sex in ((1, "male"), (2, "female"))]
    people = [shown(body, one) for one in made]
    arrays = {name: np.stack([one[name] for one in people]) for name in people[0]}
    arrays |= {"id": np.array(["m1", "f2"]), "split": np.array(["train", "calibration"])}
    arrays["sex"] = np.array([one.sex for one in made])
    path = tmp_path_factory.mktemp("crowd") / "participants.npz"
    Participants("statistics", population.population("male").names, SHOTS, arrays).save(path)
    return path


def shown(body, one) -> dict:
    """A rendered person as a row of a participants file."""
    tapes = np.array([one.tapes_cm[name] / 100 for name in MEASURES])
    names = population.population(one.sex).names
    row = dict(zip(names, population.population(one.sex).mean, strict=True)) | dict(
        zip(MEASURES, tapes, strict=True)
    )
    shots = [one.shots["front"], one.shots["side"], one.shots["side"]]
    posed = [body(betas=one.betas, pose=shot.pose) for shot in shots]
    skin = [np.rint(p.vertices[: body.skin_count].numpy() / STEP_M).astype(np.int16) for p in posed]
    cameras = [shot.camera for shot in shots]
    return {
        "row": np.array([row[name] for name in names]), "truth": tapes, "mesh": tapes, "betas": one.betas.numpy(),
        "vertices": np.stack(skin), "joints": np.stack([p.joints.numpy() for p in posed]),
        "pose": np.stack([shot.pose.numpy() for shot in shots]),
        "viewmat": np.stack([c.viewmat.numpy() for c in cameras]), "K": np.stack([c.K.numpy() for c in cameras]),
        "size": np.array([[c.width, c.height] for c in cameras]),
    }  # fmt: skip


@pytest.fixture(scope="module")
def gathered(crowd, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    given = {"tracks": ("a",), "inputs": ("front",), "steps": 2, "workers": 0}
    return folder, given, gather(crowd, folder, **given)


def test_everybody_is_read(crowd, gathered):
    _, _, found = gathered
    assert [one.key for one in found] == [("calibration", "f2", "a", "front"), ("train", "m1", "a", "front")]
    people = {one.id: one for one in Participants.load(crowd)}
    for one in found:
        assert one.usable and one.readings.capture == "studio" and one.readings.inputs == "front"
        assert one.stature_m == people[one.id].stature_m and one.truth_m == people[one.id].truth_m
        assert abs(one.readings.value["hip"] - one.truth_m["hip"]) < 0.06


def test_what_is_there_is_not_searched_again(crowd, gathered, monkeypatch):
    folder, given, found = gathered
    monkeypatch.setattr(run_fits, "outcomes", lambda *_: pytest.fail("searched again"))
    assert gather(crowd, folder, **given) == found
    assert gather(crowd, folder, **given, splits=("train",)) == found[1:]


def test_a_run_that_was_killed_goes_on(crowd, gathered, tmp_path):
    folder, given, found = gathered
    (whole,) = folder.glob("*.jsonl")
    lines = whole.read_text().splitlines(keepends=True)
    (tmp_path / whole.name).write_text(lines[0] + lines[1][:100])
    assert gather(crowd, tmp_path, **given) == found
    assert len(load(tmp_path / whole.name)) == 2


def test_records_of_another_search_are_kept_apart(crowd, gathered):
    folder, given, _ = gathered
    assert gather(crowd, folder, **{**given, "steps": 1}, per_split={"train": 0, "calibration": 0}) == []
    assert len([*folder.glob("*.jsonl")]) == 2


def test_a_failure_is_said_and_left_out(crowd, tmp_path, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("no light")

    monkeypatch.setattr(run_fits, "delivered", broken)
    with caplog.at_level(logging.WARNING):
        assert gather(crowd, tmp_path, tracks=("a",), inputs=("front",), workers=0) == []
    assert "m1 in track a: RuntimeError: no light" in caplog.text


def test_nobody_in_the_picture_is_no_record(crowd, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(run_fits, "delivered", lambda one, track, body, views: (None,) * len(views))
    with caplog.at_level(logging.WARNING):
        assert gather(crowd, tmp_path, tracks=("a",), workers=0) == []
    assert "m1, track a, front: nobody is found" in caplog.text


def test_unknown_inputs_are_refused(crowd, tmp_path):
    with pytest.raises(InputError, match="inputs: got back"):
        gather(crowd, tmp_path, inputs=("back",))
