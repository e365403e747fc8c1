"""Training of the stratified model, tiny: parts learn, stopped runs go on, frozen parts stay, files carry cards."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avatarlab.core.errors import InputError
from avatarlab.learn import weights
from avatarlab.motion.data.library import Library
from avatarlab.motion.data.windows import Windows
from avatarlab.motion.sage import SMALL, TINY, train
from avatarlab.motion.sage import losses as terms
from avatarlab.motion.sage.evaluate import beside, codebook_figures, latent_errors, scored
from avatarlab.motion.sage.predict import SagePredictor
from avatarlab.motion.sage.train import Plan, SageTrainer, finer, fresh, learn, learn_codebooks, published_plan
from avatarlab.motion.sage.training_modules import DenoiserTraining
from avatarlab.motion.skeleton import Skeleton

REST = np.random.default_rng(0).normal(0, 0.2, (22, 3))
HEADER = {"held_out": ["B"], "cross_sources": ["hdm05_asfamc"], "rate": 60}
PLAN = Plan(codebook=3, denoiser=2, decoder=1, whole=2, refiner=2, batch=8, streams=2, stretch=20, watched=256)


ROUNDS = 9
"""Hundreds of steps, at most, until a clip is known by heart."""


@pytest.fixture(scope="module")
def library() -> Library:
    """Waves through all joints, three people."""
    clips, starts = [], [0]
    rng = np.random.default_rng(1)
    for _ in range(4):
        t = np.arange(120)[:, None, None] / 60
        rate, phase, height = rng.uniform(2, 6, (1, 22, 3)), rng.uniform(0, 6, (1, 22, 3)), rng.uniform(0, 0.5, 22)
        pose = height[:, None] * np.sin(rate * t + phase)
        pose[:, 0] = [np.pi / 2, 0, 0]
        clips.append(pose)
        starts.append(starts[-1] + 120)
    poses = np.concatenate(clips)
    trans = np.concatenate([0.1 * np.sin(np.arange(480) / 30)[:, None] * [1, 1, 0]]) + [0, 0, 0.9]
    return Library(
        poses, trans, np.array(starts), ("a", "b", "c", "d"), ("A", "B", "C", "D"),
        ("cmu_x", "cmu_x", "cmu_x", "hdm05_asfamc"), REST, HEADER,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def fewer_windows(monkeypatch):
    """Means and movements of 256 windows: seconds instead of half a minute."""
    monkeypatch.setattr(train, "MEASURED", 256)


def sage_trainer(library: Library, folder, plan: Plan = PLAN, **more) -> SageTrainer:
    torch.set_num_threads(1)
    return SageTrainer(*fresh(TINY), library, [0, 2], plan, folder, **more)


def test_all_parts_learn_and_files_say_how(library, tmp_path):
    told = []
    books = learn_codebooks(library, "heldout", TINY, PLAN, tmp_path, "abc", lambda *x: told.append(x))
    path = learn(library, "heldout", books, PLAN, tmp_path, "abc", lambda *x: told.append(x))
    assert [part for part, step, steps, _ in told if step == steps] == [
        "upper_codebook", "lower_codebook", "upper_denoiser", "lower_denoiser", "decoder", "whole", "refiner",
    ]  # fmt: skip
    card = weights.load(path)[1]
    assert path.name == "motion_sage_heldout.safetensors" and card["metrics"]["mpjpe_cm"] > 0
    assert "CC BY-SA" in card["licence"] and card["split"] == "heldout" and card["commit"] == "abc"
    onward = learn(library, "cross", books, replace(PLAN, denoiser=0, decoder=0), tmp_path, "abc", start=path)
    assert "CC BY-SA" not in weights.load(onward)[1]["licence"]  # cross learns from CMU alone


def test_movements_make_good_codes_before_a_step(library, tmp_path):
    begun = sage_trainer(library, tmp_path)
    for part in ("upper_codebook", "lower_codebook"):
        begun.training_module(part, begun.plan.schedule(part))
    found = codebook_figures(begun.codebooks, Windows(library, [0, 2], 21), 200)
    assert found["reconstruction_cm"] < 2
    assert found["upper_codes_min"] > 20 and found["lower_codes_min"] > 20


def test_a_stopped_run_goes_on_as_if_it_had_not_been(library, tmp_path):
    plan = replace(PLAN, codebook=6, checkpoint_every=3)
    straight = sage_trainer(library, tmp_path / "a", plan)
    straight.train_part("lower_codebook")
    sage_trainer(library, tmp_path / "b", plan, stop_after=3).train_part("lower_codebook")
    resumed = sage_trainer(library, tmp_path / "b", plan)
    resumed.train_part("lower_codebook")
    for one, two in zip(straight.codebooks.parameters(), resumed.codebooks.parameters(), strict=True):
        assert torch.equal(one, two)


def test_each_part_trains_itself_alone(library, tmp_path):
    whole = sage_trainer(library, tmp_path)
    for part in ("upper_codebook", "lower_codebook", "upper_denoiser"):
        whole.train_part(part)
    names = ("upper_denoiser", "lower_denoiser", "decoder", "refiner")
    before = {name: [x.clone() for x in getattr(whole.model, name).parameters()] for name in names}
    codes = [x.clone() for x in whole.codebooks.parameters()]
    whole.train_part("lower_denoiser")
    for name in names:
        same = all(map(torch.equal, before[name], getattr(whole.model, name).parameters()))
        assert same == (name != "lower_denoiser"), name
    assert all(map(torch.equal, codes, whole.codebooks.parameters()))
    assert {*latent_errors(whole.model, whole.codebooks, whole.windows, 32)} == {"upper", "lower", "lower_alone"}


def test_dropout_is_on_in_what_learns_and_off_elsewhere(library, tmp_path):
    begun = sage_trainer(library, tmp_path)
    module = DenoiserTraining(
        "lower", PLAN.schedule("lower_denoiser"), begun.model, begun.codebooks, begun.windows
    )
    used = begun.model.upper_denoiser, begun.codebooks.lower
    assert module.network.training and not any(network.training for network in used)


def test_paper_answers_for_the_last_frame_alone():
    like = torch.zeros(2)
    ours, papers = (terms.frame_weights(s, like) for s in (SMALL, replace(SMALL, all_frames=False)))
    assert papers[:-1].tolist() == [0.0] * 19 and ours[0] * 2 == ours[-1]
    assert ours.mean().item() == pytest.approx(1) and papers.mean().item() == pytest.approx(1)


def test_perfect_answers_cost_nothing(library):
    windows = Windows(library, [0], 21)
    window = windows.at(torch.tensor([60, 90]))
    pose = torch.cat([window.rotations[..., 0], window.rotations[..., 1]], -1)[:, 1:]
    rotations, positions = window.rotations[:, 1:], window.positions[:, 1:]
    found = terms.body_terms(pose, rotations, positions, windows.skeleton, SMALL)
    assert all(float(x) < 1e-3 for x in found.values())
    still = terms.stream_terms(pose, torch.zeros(2, 20), rotations, positions, windows.skeleton)
    assert float(still["positions"]) < 1e-5 and float(still["jerk_off"]) < 2 and float(still["jerk"]) > 0


def test_plans_scale_and_refuse():
    whole, half = (
        published_plan(None, {}, False),
        published_plan(published_plan(None, {}, False).minutes() / 2, {}, False),
    )
    assert half.whole == pytest.approx(whole.whole / 2, abs=1) and half.minutes() == pytest.approx(
        whole.minutes() / 2, rel=0.01
    )
    onward = published_plan(None, {"refiner": 5}, True)
    assert onward.refiner == 5 and onward.denoiser == 0 and onward.codebook == 0
    with pytest.raises(InputError, match="decodr"):
        published_plan(None, {"decodr": 5}, False)
    assert finer(whole, 0.5).whole_rate == whole.whole_rate / 2


@pytest.mark.slow
def test_learns_one_clip_by_heart(library, tmp_path):
    """A tiny model knows one clip, but for a centimetre, within ROUNDS times a hundred steps."""
    settings = replace(TINY, dropout=0.0, refiner_dropout=0.0, mirror=False)
    rates = dict(denoiser_rate=3e-3, whole_rate=3e-3)
    plan = Plan(codebook=1, denoiser=100, decoder=0, whole=100, refiner=0, batch=48, watched=256, **rates)
    whole = SageTrainer(*fresh(settings), library, [0], plan, tmp_path)
    for part in ("upper_codebook", "lower_codebook", "upper_denoiser", "lower_denoiser"):
        whole.train_part(part)
    predictor, cm = SagePredictor(whole.model, Skeleton(torch.as_tensor(REST).float()), refined=False), []
    while len(cm) < ROUNDS and min(cm, default=9.0) >= 1.0:
        replace(whole, folder=tmp_path / str(len(cm))).train_part("whole")
        cm.append(round(scored(predictor, library, [0])["mpjpe_cm"], 2))
    assert cm[-1] < 1.0, f"mean error after each hundred steps: {cm} cm"
    true, pred = beside(predictor, library, 0)
    assert true.shape == pred.shape == (120, 22, 3)
