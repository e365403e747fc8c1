"""Made-up recordings: their truth, timing, noise, losses; through both file forms, and through a live session."""

import pytest
import roma
import torch
from moving import swaying

from avatarlab.core.errors import InputError
from avatarlab.motion.capture.calibration import calibrated
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.live import Live, paced, replayed
from avatarlab.motion.capture.quest import read_quest, write_quest
from avatarlab.motion.capture.simulation import SimulatedRig, simulated, worn
from avatarlab.motion.capture.table import read_table, write_table
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import upright
from avatarlab.motion.skeleton import DEVICES, HEAD
from avatarlab.motion.two_bone_ik import arms


class Stiff:
    """A model that holds a T-pose under the tracked head, wrists at the controllers; remembers what it was told."""

    def __init__(self, skeleton):
        self.skeleton, self.told = skeleton, []

    def stream(self):
        return self

    def push(self, rotations, positions, tracked):
        self.told.append((rotations, positions, tracked))
        pose = torch.cat([upright(rotations)[None], torch.eye(3).expand(21, 3, 3)])[None]
        trans = positions[:1] - self.skeleton.fk(pose)[1][:, HEAD]
        return Motion(arms(self.skeleton, pose, trans, positions[None, 1:], rotations[None, 1:]), trans)


@pytest.fixture(scope="module")
def figure(open_body) -> Figure:
    return Figure.of(open_body)


@pytest.fixture(scope="module")
def known(figure):
    return simulated(swaying(figure.skeleton, 200), figure, SimulatedRig(lost=(("left", 3.5, 4.0),)))


def test_the_truth_begins_in_t_pose_and_ends_in_the_clip(figure, known):
    truth, clip = known.truth, swaying(figure.skeleton, 200)
    assert known.begins == 150 and len(truth.trans) == 350
    positions = figure.skeleton.fk(*truth)[1]
    assert (positions[0] - figure.standing()).abs().max() < 1e-5
    assert torch.equal(truth.rotations[150:, 1:], clip.rotations[:, 1:])
    assert (positions[:, 0, 2].diff()).abs().max() < 0.02 and positions.diff(dim=0).norm(dim=-1).max() < 0.15
    heights = figure.skeleton.fk(*clip)[1][:, :, 2]
    assert (positions[150:, :, 2] - heights).abs().max() < 1e-5
    assert (positions[150, 0, :2] - positions[0, 0, :2]).norm() < 1e-5


def test_timing_noise_and_losses(figure, known):
    raw = known.raw
    assert raw.rate == pytest.approx(72, rel=0.05) and raw.times[0] == 0
    steps = raw.times.diff()
    assert 0.0005 < steps.std() < 0.003 and abs(raw.seconds - (len(raw) - 1) / 72) < 0.01
    lost = ~raw.tracked[:, 1]
    assert torch.equal(lost, (raw.times >= 3.5) & (raw.times < 4.0)) and raw.tracked[:, [0, 2]].all()
    still = simulated(swaying(figure.skeleton, 200), figure, SimulatedRig(place_mm=0.0, turn_deg=0.0)).raw
    apart = raw.positions - still.positions
    assert apart.std() == pytest.approx(0.0005, rel=0.1)
    turn = torch.rad2deg(roma.rotmat_to_rotvec(still.rotations.mT @ raw.rotations))
    assert turn.std() == pytest.approx(0.2, rel=0.1)


def test_devices_are_rigid_on_joints_of_a_larger_user(figure):
    rig = SimulatedRig(
        stature_m=2 * figure.stature, place_mm=0.0, turn_deg=0.0, jitter_ms=0.0, rate_hz=60.0, floor_m=1.0
    )
    session = simulated(swaying(figure.skeleton, 30), figure, rig)
    world, positions = (x[:, list(DEVICES)].double() for x in figure.skeleton.fk(*session.truth))
    hung, shifts = worn(figure, rig, 2.0)
    frames = len(session.raw)
    expected = (
        2 * positions[:frames] + (world[:frames] @ shifts[..., None])[..., 0] + torch.tensor([0.0, 0.0, 1.0])
    )
    assert (session.raw.positions - expected).abs().max() < 1e-5
    assert roma.rotmat_geodesic_distance(session.raw.rotations, world[:frames] @ hung).max() < 1e-3


def test_equal_seeds_give_equal_recordings(figure, known):
    again = simulated(swaying(figure.skeleton, 200), figure, SimulatedRig(lost=(("left", 3.5, 4.0),)))
    other = simulated(swaying(figure.skeleton, 200), figure, SimulatedRig(seed=8))
    assert torch.equal(again.raw.positions, known.raw.positions) and not torch.equal(
        other.raw.positions, known.raw.positions
    )


def test_unknown_devices_cannot_be_lost(figure):
    with pytest.raises(InputError, match="lost: got the device 'foot', expected one of head, left, right"):
        simulated(swaying(figure.skeleton, 10), figure, SimulatedRig(lost=(("foot", 0, 1),)))


@pytest.mark.parametrize(
    ("write", "read", "allowed"), [(write_quest, read_quest, 0.004), (write_table, read_table, 1e-5)]
)
def test_calibrated_from_a_file_it_is_the_same(figure, known, tmp_path, write, read, allowed):
    """Within 4 mm through Quest's text, whose times are smoothed; to rounding through the table."""
    write(tmp_path / "file", known.raw)
    direct, again = (
        calibrated(raw, figure, figure.stature).apply(raw) for raw in (known.raw, read(tmp_path / "file"))
    )
    frames = min(len(direct), len(again)) - 2
    both = (
        direct.tracked & again.tracked[: len(direct)]
        if len(again) >= len(direct)
        else direct.tracked[: len(again)] & again.tracked
    )
    apart = (direct.positions[:frames] - again.positions[:frames]).norm(dim=-1)
    assert apart[both[:frames]].mean() < allowed
    lost = again.tracked[:frames, 1].logical_not().sum()
    assert 25 <= int(lost) <= 32


def test_a_live_session_says_what_the_clip_says(figure, known):
    said = calibrated(known.raw, figure, figure.stature)
    model, offline = Stiff(figure.skeleton), said.apply(known.raw)
    motion, took = replayed(model, said, known.raw)
    frames = len(motion.trans)
    assert frames == len(offline) == len(took) and min(took) > 0
    told = torch.stack([positions for _, positions, _ in model.told])
    seen = torch.stack([tracked for _, _, tracked in model.told])
    assert torch.equal(seen, offline.tracked)
    assert (told - offline.positions)[seen].abs().max() < 1e-5
    head = figure.skeleton.fk(*motion)[1][:, HEAD]
    assert (head - offline.positions[:, 0]).abs().max() < 1e-5


def test_poses_come_at_60_hz_as_soon_as_they_can(figure, known):
    live = Live(Stiff(figure.skeleton), calibrated(known.raw, figure, figure.stature))
    raw, counts, times = known.raw, [], []
    for n in range(100):
        poses = live.push(float(raw.times[n]), raw.rotations[n], raw.positions[n], raw.tracked[n])
        counts.append(len(poses))
        times += [pose.time for pose in poses]
        assert all(raw.times[max(n - 1, 0)] - 1e-6 <= pose.time <= raw.times[n] + 1e-6 for pose in poses)
    assert torch.allclose(torch.tensor(times), torch.arange(len(times)) / 60) and max(counts) <= 2
    with pytest.raises(InputError, match="expected later than the last sample's"):
        live.push(0.0, raw.rotations[0], raw.positions[0], raw.tracked[0])


def test_pace_against_the_clock(figure, known):
    seen = calibrated(known.raw, figure, figure.stature).apply(known.raw)
    run = paced(Stiff(figure.skeleton), seen, 0.3)
    assert run.frames == 18 == len(run.took_ms) and 0 <= run.late <= 18
