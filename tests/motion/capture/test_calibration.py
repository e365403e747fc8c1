"""The second in T-pose: known offsets come back, sizes and floors, what it refuses and what it names as the cause."""

import math
from dataclasses import replace

import pytest
import roma
import torch
from moving import swaying

from avatarlab.core.errors import InputError
from avatarlab.motion.capture import handedness, tpose
from avatarlab.motion.capture.calibration import Calibration, calibrated
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.capture.simulation import SimulatedRig, simulated, worn
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical
from avatarlab.motion.skeleton import DEVICES

EXACT = {"place_mm": 0.0, "turn_deg": 0.0}


@pytest.fixture(scope="module")
def figure(open_body) -> Figure:
    return Figure.of(open_body)


@pytest.fixture(scope="module")
def session(figure):
    return simulated(
        swaying(figure.skeleton, 200), figure, SimulatedRig(**EXACT, heading_deg=70.0, origin_m=(1.0, -2.0))
    )


def changed(raw: RawRecording, positions=None, rotations=None, tracked=None) -> RawRecording:
    given = (raw.positions if positions is None else positions, raw.rotations if rotations is None else rotations)
    return RawRecording(raw.times, *given, raw.tracked if tracked is None else tracked, raw.source)


def test_the_figure_stands_on_the_floor(figure):
    joints, eyes = figure.seen()
    assert figure.standing()[:, 2].min() > 0 and 1.5 < figure.stature < 1.9
    assert eyes[1] < joints[0, 1] and abs(eyes[0]) < 1e-3 and joints[1, 0] > 0 > joints[2, 0]


@pytest.mark.parametrize("stature", [1.45, 1.691, 1.95])
def test_known_offsets_come_back(figure, stature):
    """Controllers held askew and a headset that sits 2 cm high: every offset within 1 mm, every turn within 0.1 deg."""
    rig = SimulatedRig(**EXACT, stature_m=stature, eyes_off_m=(0.0, 0.02, 0.0), grip_m=((0.01, 0.03, 0.07), (-0.01, 0.03, 0.1)),
              floor_m=-0.4, heading_deg=-120.0, origin_m=(3.0, 1.0))  # fmt: skip
    known = simulated(swaying(figure.skeleton, 60), figure, rig)
    said = calibrated(known.raw, figure, stature, rig.floor_m)
    hung, shifts = worn(figure, rig, said.scale)
    assert (said.offsets + (hung.mT @ shifts[..., None])[..., 0]).norm(dim=-1).max() < 1e-3
    assert torch.rad2deg(roma.rotmat_geodesic_distance(said.turns, hung.mT)).max() < 0.1
    assert said.scale == pytest.approx(stature / figure.stature)
    assert math.degrees(said.heading_rad) == pytest.approx(-120, abs=0.1)


def test_with_noise_still_within_two_millimetres(figure):
    known = simulated(swaying(figure.skeleton, 60), figure, SimulatedRig(place_mm=2.0, turn_deg=0.5))
    said = calibrated(known.raw, figure, figure.stature, 0.0)
    hung, shifts = worn(figure, SimulatedRig())
    assert (said.offsets + (hung.mT @ shifts[..., None])[..., 0]).norm(dim=-1).max() < 2e-3
    assert torch.rad2deg(roma.rotmat_geodesic_distance(said.turns, hung.mT)).max() < 0.3


def test_calibrated_trackers_are_the_truth(figure, session):
    seen = calibrated(session.raw, figure, figure.stature).apply(session.raw)
    world, positions = figure.skeleton.fk(*session.truth)
    frames = min(len(seen), len(positions))
    assert (seen.positions[:frames] - positions[:frames, list(DEVICES)]).norm(dim=-1).max() < 2e-3
    apart = roma.rotmat_geodesic_distance(seen.rotations[:frames], world[:frames, list(DEVICES)])
    assert torch.rad2deg(apart).max() < 0.3


def test_without_calibration_it_is_far_off(figure, session):
    even = session.raw.resampled()
    positions = figure.skeleton.fk(*session.truth)[1][: len(even), list(DEVICES)]
    home = about_vertical(torch.tensor(-math.radians(70.0)).double())
    raw = (even.positions - torch.tensor([1.0, -2.0, 0.0])) @ home.mT
    assert (raw - positions).norm(dim=-1).mean(0).min() > 0.05


def test_size_and_floor(figure):
    tall = simulated(swaying(figure.skeleton, 60), figure, SimulatedRig(**EXACT, stature_m=1.9, floor_m=0.3)).raw
    assert calibrated(tall, figure, 1.9).floor_m == pytest.approx(0.3, abs=1e-3)
    assert calibrated(tall, figure, floor_m=0.3).scale == pytest.approx(1.9 / figure.stature, abs=1e-3)
    for facts, said in (
        ({"stature_m": 190.0}, "stature_m: got 190.0, expected 0.5 to 2.6.*centimetres"),
        ({"stature_m": 1.9, "floor_m": 0.0}, "expected about 1.78 m at that stature"),
        ({"floor_m": 1.4}, "makes the user 0.7"),
        ({"floor_m": -2.0}, "is the room's floor set"),
        ({"stature_m": 1.1}, "from its joint in T-pose, expected at most"),
    ):
        with pytest.raises(InputError, match=said):
            calibrated(tall, figure, **facts)


def test_back_into_the_room(figure, session):
    said = calibrated(session.raw, figure, figure.stature)
    there = said.back(session.truth, figure)
    joints = figure.skeleton.fk(*there)[1][:, list(DEVICES)].double()
    even = session.raw.resampled()
    devices = joints[: len(even)] - (even.rotations @ said.offsets[..., None])[..., 0]
    assert (devices - even.positions).norm(dim=-1).max() < 3e-3


def test_the_t_pose_is_found_wherever_it_is(figure, session):
    raw = session.raw
    assert tpose.found(raw).stop < 1.6
    late = RawRecording(raw.times, raw.positions.flip(0), raw.rotations.flip(0), raw.tracked)
    assert tpose.found(late).start > 3.5
    span = (tpose.found(late).start, tpose.found(late).stop)
    assert calibrated(late, figure, figure.stature, span=span).offsets.allclose(
        calibrated(late, figure, figure.stature).offsets
    )


def test_no_t_pose_is_named(figure, session):
    raw = session.raw
    later = RawRecording(*(x[200:] for x in (raw.times, raw.positions, raw.rotations, raw.tracked)), "mine.csv")
    with pytest.raises(InputError, match="mine.csv: no second in T-pose; the hands were 1.02 m apart at most"):
        calibrated(later, figure)
    short = RawRecording(*(x[:40] for x in (raw.times, raw.positions, raw.rotations, raw.tracked)))
    with pytest.raises(InputError, match="lasts 0.54 s, expected at least 1 s in T-pose"):
        calibrated(short, figure)
    with pytest.raises(InputError, match="head moved during the T-pose"):
        calibrated(raw, figure, span=(1.0, 4.0))
    for span in ((-1.0, 1.0), (0.0, 0.1), (1.0, 100.0)):
        with pytest.raises(InputError, match="tpose: got"):
            calibrated(raw, figure, span=span)
    lost = raw.tracked.clone()
    lost[:108, 1] = False
    with pytest.raises(InputError, match="devices were lost during the T-pose"):
        calibrated(changed(raw, tracked=lost), figure, span=(0.2, 1.2))


def tipped(positions, rotations):
    """z up in the file although y should be."""
    tip = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]).double()
    return positions @ tip.mT, tip @ rotations


def mirrored(signs, positions: bool, rotations: bool):
    return tpose._mirrored(signs, (positions, rotations))


FAULTS = {
    "left and right controllers are swapped": lambda p, r: (p[:, [0, 2, 1]], r[:, [0, 2, 1]]),
    "axes are mirrored: left-handed": mirrored((1.0, 1.0, -1.0), True, True),
    "positions are mirrored from left to right": mirrored((-1.0, 1.0, 1.0), True, False),
    "positions are mirrored from front to back": mirrored((1.0, 1.0, -1.0), True, False),
    "rotations are mirrored but its positions are not": mirrored((1.0, 1.0, -1.0), False, True),
    "another axis than y is up": tipped,
}


@pytest.mark.parametrize("cause", FAULTS)
@pytest.mark.parametrize("lean", [0.0, -70.0])
def test_wrong_axes_and_hands_are_named(figure, cause, lean):
    """OpenXR's grip poses are turned inwards by up to 90 degrees against the pointing ones; both must do."""
    tilt = ((5.0, 0.0, 0.0), (lean, 0.0, 0.0), (lean, 0.0, 0.0))
    known = simulated(swaying(figure.skeleton, 60), figure, SimulatedRig(heading_deg=50.0, tilt_deg=tilt)).raw
    calibrated(known, figure, figure.stature)
    wrong = changed(known, *FAULTS[cause](known.positions, known.rotations))
    with pytest.raises(InputError, match=f"recording|simulated: in its T-pose.*{cause}") as error:
        calibrated(wrong, figure, figure.stature)
    assert cause in str(error.value)


def test_scrambled_quaternions_are_doubted(figure, session):
    quaternions = roma.rotmat_to_unitquat(session.raw.rotations).roll(1, -1)
    with pytest.raises(InputError, match="in its T-pose"):
        calibrated(changed(session.raw, rotations=roma.unitquat_to_rotmat(quaternions)), figure, figure.stature)


def test_a_mirror_is_seen_in_turning(figure):
    """Places mirrored in the plane in which the user stands in T-pose, which hardly shows there; then they turn round."""
    known = simulated(swaying(figure.skeleton, 240, turns=1.0), figure, SimulatedRig(**EXACT)).raw
    assert handedness.shared(known) > 0.5
    wrong = changed(known, *mirrored((1.0, 1.0, -1.0), True, False)(known.positions, known.rotations))
    with pytest.raises(InputError, match="the other side than the headset turns"):
        handedness.verify(wrong)
    handedness.verify(known)
    still = simulated(swaying(figure.skeleton, 60), figure, SimulatedRig(**EXACT)).raw
    assert handedness.shared(still) is None


def test_saved_and_loaded(figure, session, tmp_path):
    said = calibrated(session.raw, figure, figure.stature)
    said.save(tmp_path / "a.json")
    again = Calibration.load(tmp_path / "a.json")
    assert all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in ((getattr(said, name), getattr(again, name)) for name in said.__dataclass_fields__)
    )
    again.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "avatarlab.calibration/1"}', '{"schema": "other"}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="no calibration"):
        Calibration.load(tmp_path / "a.json")
    with pytest.raises(InputError, match="no such file"):
        Calibration.load(tmp_path / "none.json")


def test_a_scale_is_positive(figure, session):
    said = calibrated(session.raw, figure, figure.stature)
    for scale in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="scale: got"):
            replace(said, scale=scale)


def test_a_motion_of_no_frames_cannot_be_recorded(figure):
    motion = swaying(figure.skeleton, 1)
    with pytest.raises(InputError, match="too short to be recorded"):
        simulated(motion, figure, SimulatedRig(tpose_s=0.0, blend_s=0.0))
    assert isinstance(motion, Motion)
