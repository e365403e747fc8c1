"""The CSV of any OpenXR logger, and recordings at other rates: slerp, gaps, lost devices, units, broken input."""

import csv
import math

import pytest
import roma
import torch

from avatarlab.core.errors import InputError
from avatarlab.motion.capture.recording import RawRecording, trackers
from avatarlab.motion.capture.table import NEEDED, read_table, write_table
from avatarlab.motion.rotations import upright


def row(time: float, **other) -> dict:
    said = dict.fromkeys(NEEDED, 0.0) | {"time_s": time, "head_y": 1.6, "left_x": -0.7, "right_x": 0.7}
    return {**said, **{f"{d}_qw": 1.0 for d in ("head", "left", "right")}, **other}


def table(tmp_path, *rows: dict):
    path = tmp_path / "log.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def turning(rate: float = 72.0, seconds: float = 3.0, spin: float = 2.0) -> RawRecording:
    """Three devices that turn at up to ``spin`` rad/s and back, and move by sines."""
    times = torch.arange(int(seconds * rate), dtype=torch.float64) / rate
    return recorded(times, spin)


def recorded(times, spin: float = 2.0) -> RawRecording:
    axis = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, 3.0]).double(), dim=0)
    vectors = (spin * torch.sin(times))[:, None, None] * axis.expand(3, 3)
    positions = torch.stack([torch.sin(times + d)[:, None] * axis for d in range(3)], 1)
    return RawRecording(
        times, positions, roma.rotvec_to_rotmat(vectors), torch.ones(len(times), 3, dtype=torch.bool)
    )


def test_openxrs_axes(tmp_path):
    read = read_table(table(tmp_path, row(0.0), row(0.01), row(0.02)))
    assert torch.allclose(read.positions[0, 2], torch.tensor([-0.7, 0.0, 0.0]).double(), atol=1e-7)
    assert torch.allclose(read.positions[0, 0], torch.tensor([0.0, 0.0, 1.6]).double(), atol=1e-7)
    assert torch.allclose(read.rotations[0, 0], upright(read.rotations), atol=1e-7)
    ahead = read_table(table(tmp_path, row(0.0, head_z=-1.0), row(0.01, head_z=-1.0))).positions[0, 0]
    assert torch.allclose(ahead, torch.tensor([0.0, -1.0, 1.6]).double(), atol=1e-7)


def test_turning_the_head_left_in_openxr():
    """Counter-clockwise about y, seen from above: from -z to -x, which is our +x."""
    from avatarlab.motion.capture import axes

    quaternion = torch.tensor([0.0, math.sqrt(0.5), 0.0, math.sqrt(0.5)]).double()
    rotation, _ = axes.into("openxr", torch.zeros(3).double(), quaternion)
    assert torch.allclose(rotation[:, 2], torch.tensor([1.0, 0.0, 0.0]).double(), atol=1e-7)


def test_round_trip_with_lost_devices(tmp_path):
    raw = turning()
    raw.tracked[30:50, 2] = False
    write_table(tmp_path / "a.csv", raw)
    read = read_table(tmp_path / "a.csv")
    assert torch.equal(read.tracked, raw.tracked)
    assert (read.positions - raw.positions)[raw.tracked].abs().max() < 1e-5
    assert (read.rotations - raw.rotations)[raw.tracked].abs().max() < 1e-5
    write_table(tmp_path / "b.csv", raw)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_quaternions_are_made_unit(tmp_path):
    read = read_table(table(tmp_path, row(0.0, head_qw=1.02), row(0.01)))
    assert (read.rotations @ read.rotations.mT - torch.eye(3)).abs().max() < 1e-9


def test_numbers_of_a_lost_device_do_not_matter(tmp_path):
    lost = {"left_tracked": 0, "left_qw": 0.0, "left_x": "", "right_tracked": "true", "head_tracked": 1}
    read = read_table(table(tmp_path, *(row(t / 90, **lost) for t in range(5))))
    assert read.tracked.tolist() == [[True, False, True]] * 5 and bool(torch.isfinite(read.positions).all())


BROKEN = {
    "NaN": (row(0.01, head_x="nan"), "line 3, head: got NaN"),
    "zero quaternion": (row(0.01, right_qw=0.0), "line 3, right: its quaternion has length 0"),
    "words": (row(0.01, left_y="up"), "line 3: left_y is 'up', expected a number"),
    "empty": (row(0.01, left_y=""), "line 3: left_y is '', expected a number"),
    "time twice": (row(0.0), "sample 2 has time 0 s, not later"),
    "time backwards": (row(-1.0), "sample 2 has time -1 s, not later"),
    "time NaN": (row("nan"), "line 3: time_s is nan"),
    "times in milliseconds": (row(11.0), "got 0.0909 samples a second"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_rows_are_named(tmp_path, what):
    broken, said = BROKEN[what]
    with pytest.raises(InputError, match=said):
        read_table(table(tmp_path, row(0.0), broken))


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "none.csv")
    path = tmp_path / "other.csv"
    path.write_text("time_s,head_x\n0,1\n")
    with pytest.raises(InputError, match="lacks the columns head_y, head_z, head_qx, head_qy, ...;"):
        read_table(path)
    with pytest.raises(InputError, match="got 1 samples"):
        read_table(table(tmp_path, row(0.0)))
    with pytest.raises(InputError, match="head_tracked is 'yes'"):
        read_table(table(tmp_path, row(0.0, head_tracked="yes"), row(0.1, head_tracked="no")))


@pytest.mark.parametrize(("factor", "said"), [(1000.0, "millimetres"), (100.0, "centimetres")])
def test_metres_against_millimetres(tmp_path, factor, said):
    rows = [row(t / 72, head_y=1.6 * factor, left_x=-0.7 * factor, right_x=0.7 * factor) for t in range(4)]
    with pytest.raises(InputError, match=f"expected metres.*are they {said}"):
        read_table(table(tmp_path, *rows))


def test_72_to_60_hz_of_turning_devices():
    raw = turning(72.0, spin=4.0)
    even = raw.resampled()
    true = recorded(even.times, spin=4.0)
    assert even.rate == pytest.approx(60) and even.tracked.all()
    assert torch.rad2deg(roma.rotmat_geodesic_distance(even.rotations, true.rotations)).max() < 0.1
    assert (even.positions - true.positions).abs().max() < 1e-4


def test_a_constant_turn_is_met_exactly_at_uneven_times():
    times = torch.cumsum(torch.rand(200, generator=torch.Generator().manual_seed(0)).double() * 0.01 + 0.008, 0)
    turns = roma.rotvec_to_rotmat(times[:, None, None] * torch.tensor([0.0, 1.0, 2.0]).double().expand(3, 3))
    positions = times[:, None, None] * torch.ones(3, 3).double()
    even = RawRecording(times, positions, turns, torch.ones(200, 3, dtype=torch.bool)).resampled()
    true = roma.rotvec_to_rotmat(even.times[:, None, None] * torch.tensor([0.0, 1.0, 2.0]).double().expand(3, 3))
    assert roma.rotmat_geodesic_distance(even.rotations, true).max() < 1e-5
    assert (even.positions - even.times[:, None, None]).abs().max() < 1e-9


def test_at_its_own_times_nothing_changes():
    raw = turning(60.0)
    even = raw.resampled()
    assert len(even) == len(raw) and torch.allclose(even.positions, raw.positions) and even.tracked.all()


def test_lost_spans_and_gaps_are_untracked_and_held():
    raw = turning(72.0)
    raw.tracked[72:144, 1] = False
    even = raw.resampled()
    lost = ~even.tracked[:, 1]
    t = even.times
    assert torch.equal(lost, (t > 71 / 72 + 1e-9) & (t < 144 / 72 - 1e-9)) and even.tracked[:, [0, 2]].all()
    assert torch.equal(even.positions[lost, 1], raw.positions[71, 1].expand(int(lost.sum()), 3))
    kept = torch.cat([torch.arange(60), torch.arange(100, len(raw))])
    gap = RawRecording(
        raw.times[kept], raw.positions[kept], raw.rotations[kept], torch.ones(len(kept), 3, dtype=torch.bool)
    )
    lost = ~gap.resampled().tracked
    assert lost.all(1).equal(lost.any(1)) and torch.equal(lost[:, 0], (t > 59 / 72 + 1e-9) & (t < 100 / 72 - 1e-9))


def test_a_device_that_begins_late_or_never_comes():
    raw = turning()
    raw.tracked[:50, 1] = False
    raw.tracked[:, 2] = False
    even = trackers(raw.resampled())
    assert not even.tracked[:41, 1].any() and even.tracked[42:, 1].all() and not even.tracked[:, 2].any()
    assert (even.positions[0, 1] - raw.positions[50, 1]).abs().max() < 1e-5


def test_recordings_that_are_none():
    raw = turning()
    for positions, said in ((raw.positions * torch.nan, "NaN"), (raw.positions * 1000, "expected metres")):
        with pytest.raises(InputError, match=said):
            RawRecording(raw.times, positions, raw.rotations, raw.tracked)
    with pytest.raises(InputError, match="headset is tracked in no sample"):
        RawRecording(raw.times, raw.positions, raw.rotations, torch.zeros_like(raw.tracked))
    with pytest.raises(InputError, match="rate: got 0"):
        raw.resampled(0)
    with pytest.raises(InputError, match="samples a second"):
        RawRecording(raw.times * 1000, raw.positions, raw.rotations, raw.tracked)
