"""The Quest app's text: its lines, cut ends and blank lines, times from frame rates, Unity's axes, broken input."""

import math

import pytest
import roma
import torch

from avatarlab.core.errors import InputError
from avatarlab.motion.capture import axes
from avatarlab.motion.capture.quest import BLOCK, read_quest, write_quest
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.rotations import upright

LINE = (
    "FPS:{fps};Headset-Position: (0.1000, 1.6000, 0.2000);Headset-Rotation: {turn};"
    "LeftController-Position: ({left}, 1.3000, 0.0000);LeftController-Rotation: (0.0000, 0.0000, 0.0000, 1.0000);"
    "RightController-Position: (0.7000, 1.3000, 0.0000);RightController-Rotation: (0.0000, 0.0000, 0.0000, 1.0000);"
)


def line(fps="72.0000", turn="(0.0000, 0.0000, 0.0000, 1.0000)", left="-0.7000") -> str:
    return LINE.format(fps=fps, turn=turn, left=left)


def written(tmp_path, *lines: str):
    path = tmp_path / "12345.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_lines_blank_lines_and_the_cut_last_line(tmp_path):
    whole = [line(), line(left="-0.7100"), "", line(left="-0.7200"), ""]
    read = read_quest(written(tmp_path, *whole, line()[:200]))
    assert len(read) == 3 and read.tracked.all()
    assert len(read_quest(written(tmp_path, *whole, line()))) == 4


def test_times_are_added_up_from_frame_rates(tmp_path):
    read = read_quest(written(tmp_path, line("60"), line("72"), line("90"), line("36")))
    assert torch.allclose(
        read.times, torch.tensor([0, 1 / 72, 1 / 72 + 1 / 90, 1 / 72 + 1 / 90 + 1 / 36]).double()
    )


def test_unitys_right_hand_is_at_minus_x_and_heights_stay(tmp_path):
    read = read_quest(written(tmp_path, line(), line()))
    assert torch.allclose(read.positions[0, 2], torch.tensor([-0.7, 0.0, 1.3]).double(), atol=1e-6)
    assert torch.allclose(read.positions[0, 0], torch.tensor([-0.1, -0.2, 1.6]).double(), atol=1e-6)
    assert torch.allclose(read.rotations[0, 0], upright(read.rotations), atol=1e-6)


def test_turning_the_head_right_is_turning_right(tmp_path):
    """Unity turns clockwise about y, seen from above: from +z (our -y) to +x (our -x)."""
    half = math.sqrt(0.5)
    read = read_quest(written(tmp_path, *[line(turn=f"(0, {half:.4f}, 0, {half:.4f})")] * 2))
    ahead = read.rotations[0, 0, :, 2]
    assert torch.allclose(ahead, torch.tensor([-1.0, 0.0, 0.0]).double(), atol=1e-6)


@pytest.mark.parametrize("form", ["unity", "openxr"])
def test_t_pose_references_are_the_identity_of_all_three_devices(form):
    held = torch.tensor(axes.HELD).double()
    positions, quaternions = axes.back(form, upright(held) @ held, torch.zeros(3, 3).double())
    rotations, _ = axes.into(form, positions, quaternions)
    assert torch.allclose(axes.joints_of(rotations), upright(held).expand(3, 3, 3), atol=1e-7)


def test_reference_quaternions_of_unity():
    """SAGE's references, written as Unity writes them: left points to -x, right to +x, both with the top ahead."""
    half = 0.5
    said = torch.tensor([[0, 0, 0, 1], [half, -half, -half, half], [half, half, half, half]]).double()
    rotations, _ = axes.into("unity", torch.zeros(3, 3).double(), said)
    joints = axes.joints_of(rotations)
    assert torch.allclose(joints, upright(joints).expand(3, 3, 3), atol=1e-7)


@pytest.mark.parametrize("form", ["unity", "openxr"])
def test_there_and_back_again(form):
    generator = torch.Generator().manual_seed(0)
    rotations = roma.random_rotmat(50, dtype=torch.float64, generator=generator)
    positions = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    again = axes.into(form, *axes.back(form, rotations, positions))
    assert torch.allclose(again[0], rotations, atol=1e-6) and torch.allclose(again[1], positions)


def test_a_rigid_turn_in_unity_stays_one(tmp_path):
    """What is fixed to a device stays fixed to it: place = p + R v holds in both frames with v mirrored."""
    generator = torch.Generator().manual_seed(1)
    quaternion = roma.random_unitquat(dtype=torch.float64, generator=generator)
    v = torch.randn(3, generator=generator, dtype=torch.float64)
    end = roma.unitquat_to_rotmat(quaternion) @ v
    rotation, place = axes.into("unity", end, quaternion)
    assert torch.allclose(rotation @ (v * v.new_tensor(axes.FLIPS["unity"])), place)


BROKEN = {
    "rate of zero": (line("0.0000"), "line 2: FPS is 0"),
    "NaN": (line("NaN"), "line 2.*NaN"),
    "zero quaternion": (
        line(turn="(0.0000, 0.0000, 0.0000, 0.0000)"),
        "line 2, Headset: its quaternion has length 0",
    ),
    "cut in the middle": (line()[:100], "line 2: not a line of the Quest app"),
    "a place of two numbers": (line().replace("0.1000, 1.6000, 0.2000", "0.1, 1.6"), "line 2: not a line"),
    "words": (line(left="left"), "line 2: not a line"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_lines_are_named(tmp_path, what):
    broken, said = BROKEN[what]
    with pytest.raises(InputError, match=said):
        read_quest(written(tmp_path, line(), broken, line(), line()))


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_quest(tmp_path / "none.txt")
    with pytest.raises(InputError, match="0 whole lines"):
        read_quest(written(tmp_path, "hello"))
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable text"):
        read_quest(tmp_path / "bytes.txt")
    with pytest.raises(InputError, match="1 whole lines"):
        read_quest(written(tmp_path, line(), line()[:50]))


def test_a_controller_that_repeats_itself_is_lost(tmp_path):
    lines = [line(turn=f"(0, {math.sin(k / 90):.4f}, 0, {math.cos(k / 90):.4f})", left=f"{-0.7 + min(k, 20) / 100:.4f}")
             for k in range(80)]  # fmt: skip
    read = read_quest(written(tmp_path, *lines))
    assert read.tracked[:21, 1].all() and not read.tracked[21:, 1].any()
    assert read.tracked[:, 0].all()


def test_round_trip(tmp_path):
    count, generator = 500, torch.Generator().manual_seed(2)
    times = torch.arange(count).double() / 72
    vectors = torch.stack([torch.sin(times * (1 + d)) for d in range(3)], 1)[..., None] * torch.tensor(
        [0.5, 0.2, 0.9]
    )
    positions = torch.randn(3, 3, generator=generator, dtype=torch.float64) + vectors
    raw = RawRecording(
        times, positions, roma.rotvec_to_rotmat(vectors.double()), torch.ones(count, 3, dtype=torch.bool)
    )
    write_quest(tmp_path / "a.txt", raw)
    read = read_quest(tmp_path / "a.txt")
    text = (tmp_path / "a.txt").read_text()
    assert len(read) == count - 1 and text.count("\n\n") == (count - 1) // BLOCK
    assert (read.positions - raw.positions[:-1]).abs().max() < 6e-5
    assert roma.rotmat_geodesic_distance(read.rotations, raw.rotations[:-1]).max() < 3e-4
    assert (read.times - raw.times[:-1]).abs().max() < 1e-3
