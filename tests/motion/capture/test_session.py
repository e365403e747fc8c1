"""From a recording's file to poses: which reader, a model's poses finished, and what calibration is worth."""

import pytest
import torch
from moving import swaying

from avatarlab.core.errors import InputError
from avatarlab.motion.capture import session, truth
from avatarlab.motion.capture.calibration import calibrated
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.quest import write_quest
from avatarlab.motion.capture.simulation import SimulatedRig, simulated
from avatarlab.motion.capture.table import write_table
from avatarlab.motion.postprocess import PostProcessed
from avatarlab.motion.predictor import Motion, streamed
from avatarlab.motion.skeleton import DEVICES, HEAD, Skeleton
from avatarlab.motion.trackers import Trackers


class Statue:
    """A model that holds one pose with bent limbs under the tracked head."""

    def __init__(self, skeleton: Skeleton):
        self.skeleton, self.pose = skeleton, swaying(skeleton, 1).rotations

    def predict(self, trackers):
        pose = self.pose.expand(len(trackers), -1, -1, -1)
        return Motion(pose, trackers.positions[:, 0] - self.skeleton.fk(pose)[1][:, HEAD])

    def stream(self):
        return self

    def push(self, rotations, positions, tracked):
        return self.predict(Trackers(rotations[None], positions[None], tracked[None]))


@pytest.fixture(scope="module")
def figure(open_body) -> Figure:
    return Figure.of(open_body)


@pytest.fixture(scope="module")
def known(figure):
    return simulated(swaying(figure.skeleton, 120), figure, SimulatedRig(eyes_off_m=(0.0, 0.0, 0.01)))


def test_the_ending_says_who_reads(known, tmp_path):
    write_table(tmp_path / "a.csv", known.raw)
    write_quest(tmp_path / "a.TXT", known.raw)
    assert len(session.read(tmp_path / "a.csv")) == len(known.raw) == len(session.read(tmp_path / "a.TXT")) + 1
    for name, said in (("a.bvh", "ending in .bvh, expected .txt"), ("a", "ending in nothing")):
        with pytest.raises(InputError, match=said):
            session.read(tmp_path / name)


def test_a_file_becomes_poses(figure, known, tmp_path):
    write_table(tmp_path / "a.csv", known.raw)
    done = session.held(
        tmp_path / "a.csv", PostProcessed(Statue(figure.skeleton), figure.skeleton), figure, figure.stature
    )
    assert len(done.motion.trans) == len(done.took_ms) == pytest.approx(len(known.truth.trans), abs=3)
    seen = done.calibration.apply(done.raw)
    wrists = figure.skeleton.fk(*done.motion)[1][:, list(DEVICES)[1:]]
    assert (wrists - seen.positions[:, 1:]).norm(dim=-1).median() < 1e-4


def test_finished_live_as_at_once(figure):
    seen = Trackers.of(*figure.skeleton.fk(*swaying(figure.skeleton, 80)))
    seen.tracked[30:60, 1] = False
    finished = PostProcessed(Statue(figure.skeleton), figure.skeleton)
    whole, live = finished.predict(seen), streamed(finished, seen)
    assert (whole.rotations - live.rotations).abs().max() < 1e-5 and torch.allclose(whole.trans, live.trans)
    wrists = figure.skeleton.fk(*whole)[1][:, list(DEVICES)[1:]]
    far = (wrists - seen.positions[:, 1:]).norm(dim=-1)
    assert far[:30].max() < 1e-3 and far[30:60, 1].max() < 1e-3 and far[50, 0] > 0.05
    assert wrists.diff(dim=0).norm(dim=-1).max() < 0.2


def test_what_calibration_is_worth(figure, known):
    said = calibrated(known.raw, figure, figure.stature, 0.0)
    with_it, without = (
        truth.device_errors(figure, known.truth, x.apply(known.raw), known.begins)
        for x in (said, truth.uncalibrated(said))
    )
    for name in ("head", "left", "right"):
        assert with_it[f"{name}_cm"] < 1.5 < 5 < without[f"{name}_cm"]
        assert with_it[f"{name}_deg"] < 0.5 < 5 < without[f"{name}_deg"]
    off = truth.offset_errors_mm(said, figure, SimulatedRig(eyes_off_m=(0.0, 0.0, 0.01)))
    assert off["head"] == pytest.approx(10, abs=1)  # a headset further ahead than assumed is not seen in T-pose


def test_pose_errors_are_the_scores(figure, known):
    assert truth.pose_errors(figure, known.truth, known.truth, known.begins)["mpjpe_cm"] == 0
    moved = Motion(known.truth.rotations, known.truth.trans + torch.tensor([0.01, 0.0, 0.0]))
    assert truth.pose_errors(figure, known.truth, moved, known.begins)["mpjpe_cm"] == pytest.approx(1, abs=1e-3)
