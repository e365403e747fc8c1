"""Joints, kinematics, mirrors, headings and windows, against closed forms and the body's own joints."""

import math
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from avatarlab.body.layout import JOINT_NAMES
from avatarlab.core.errors import InputError
from avatarlab.motion.data.library import Library, hundredth
from avatarlab.motion.data.windows import Windows
from avatarlab.motion.rotations import about_vertical, from_6d, heading, to_6d, upright
from avatarlab.motion.skeleton import COUNT, HEAD, LOWER, MIRRORED, NAMES, UPPER, Skeleton, align_heads, mirror
from avatarlab.motion.trackers import Trackers, features, frame_of, seen_from


@pytest.fixture(scope="module")
def skeleton(open_body) -> Skeleton:
    return Skeleton.of(open_body)


def random_rotations(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return roma.rotvec_to_rotmat(torch.randn(*shape, 3, generator=generator) * 0.6)


def library(skeleton: Skeleton, lengths=(30, 50, 40)) -> Library:
    chance = np.random.default_rng(0)
    steps = chance.normal(0, 0.02, (sum(lengths), COUNT, 3)).cumsum(0)
    steps[:, 0] += [math.pi / 2, 0, 0]
    trans = chance.normal(0, 0.01, (sum(lengths), 3)).cumsum(0) + [0, 0, 1]
    names = tuple(f"clip{k}" for k in range(len(lengths)))
    header = {"held_out": ["sub1"], "cross_sources": ["other"]}
    sources = ("one",) * (len(lengths) - 1) + ("other",)
    subjects = tuple(f"sub{k}" for k in range(len(lengths)))
    starts = np.cumsum([0, *lengths])
    return Library(steps, trans, starts, names, subjects, sources, skeleton.rest.numpy(), header)


def test_kinematics_are_the_bodys_own(open_body, skeleton):
    local = random_rotations(5, COUNT)
    trans = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    whole = torch.eye(3).repeat(5, 55, 1, 1)
    whole[:, :COUNT] = local
    joints = open_body.joints_only(rotations=whole, transl=trans)[:, :COUNT]
    assert float((skeleton.fk(local, trans)[1] - joints).abs().max()) < 1e-5


def test_the_joints_are_smplx_first_22_and_parts_share_the_root():
    assert JOINT_NAMES[:22] == NAMES and NAMES[HEAD] == "head"
    assert set(UPPER) | set(LOWER) == set(range(22)) and set(UPPER) & set(LOWER) == {0}
    assert (len(UPPER), len(LOWER)) == (14, 9) and all(MIRRORED[MIRRORED[k]] == k for k in range(22))


def test_six_numbers_are_columns_and_come_back():
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert to_6d(quarter).tolist() == [0, 1, 0, -1, 0, 0]
    turns = random_rotations(100).double()
    assert float((from_6d(to_6d(turns)) - turns).abs().max()) < 1e-5
    assert float((from_6d(3 * to_6d(turns) + 0.0) - turns).abs().max()) < 1e-5


@pytest.mark.parametrize("pitch_deg", [0, 60, 89, -89, 120])
def test_heading_survives_looking_down(pitch_deg):
    pitch = roma.rotvec_to_rotmat(torch.tensor([math.radians(pitch_deg), 0, 0]))
    for yaw in (-3.0, -0.4, 0.0, 1.0, 2.5):
        world = about_vertical(torch.tensor(yaw)) @ pitch @ upright(pitch)
        assert float(heading(world)) == pytest.approx(yaw, abs=1e-5)


def test_still_devices_have_no_velocity_and_features_have_sages_order():
    still = torch.eye(3).expand(4, 3, 3, 3)
    positions = torch.arange(9.0).reshape(3, 3).expand(4, 3, 3)
    said = features(still, positions)
    assert said.shape == (3, 3, 18)
    assert said[0, 1].tolist() == [1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 3, 4, 5, 0, 0, 0]


def test_rotation_velocity_is_the_turn_of_one_frame_and_velocity_is_metres_a_frame():
    angle = 0.1
    spin = roma.rotvec_to_rotmat(torch.tensor([[0, 0, angle * t] for t in range(3)]))[:, None].expand(3, 3, 3, 3)
    positions = torch.tensor([0.0, 0.02, 0.04])[:, None, None].expand(3, 3, 3)
    said = features(spin, positions)
    turn = [math.cos(angle), math.sin(angle), 0, -math.sin(angle), math.cos(angle), 0]
    assert torch.allclose(said[:, :, 6:12], torch.tensor(turn).expand(2, 3, 6), atol=1e-5)
    assert torch.allclose(said[:, :, 15:], torch.tensor(0.02).expand(2, 3, 3))


def test_walking_elsewhere_changes_places_only():
    turns, positions = random_rotations(6, 3), torch.randn(6, 3, 3)
    here, there = features(turns, positions), features(turns, positions + torch.tensor([5.0, -3.0, 0.0]))
    changed = (here - there).abs().amax((0, 1)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [12, 13]


def test_seen_from_the_head_nothing_depends_on_where_and_whither():
    turns, positions = random_rotations(1, 3), torch.randn(1, 3, 3)
    yaw = about_vertical(torch.tensor(1.2))
    moved = (yaw @ turns, (yaw @ positions[..., None])[..., 0] + torch.tensor([2.0, 1.0, 0.0]))
    both = []
    for pair in ((turns, positions), moved):
        angle, origin = frame_of(*pair)
        both.append(seen_from(*pair, angle[:, None], origin[:, None]))
    for a, b in zip(*both, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert torch.allclose(both[0][1][..., 2], positions[..., 2])


def test_a_mirror_twice_is_nothing_and_once_is_the_other_hand(skeleton):
    local = random_rotations(4, COUNT)
    twice = mirror(mirror(local))
    assert torch.equal(twice, local)
    world, positions = skeleton.fk(local)
    across = skeleton.fk(mirror(local))[1]
    assert float((across - mirror(world, positions)[1]).abs().max()) < 1e-3  # the open body is even to 0.1 mm
    devices = mirror(world[:, [15, 20, 21]], positions[:, [15, 20, 21]])
    assert torch.allclose(devices[1][:, 1], positions[:, 21] * torch.tensor([-1.0, 1, 1]))


def test_the_head_of_an_aligned_pose_is_the_tracked_one(skeleton):
    head = torch.randn(4, 3)
    trans, _, positions = align_heads(skeleton, random_rotations(4, COUNT), head)
    assert float((positions[:, HEAD] - head).abs().max()) < 1e-5
    again = skeleton.fk(random_rotations(4, COUNT), trans)[1]
    assert torch.allclose(again, positions, atol=1e-5)


def test_windows_repeat_the_first_frame_and_stay_in_their_segment(skeleton):
    made = library(skeleton)
    windows = Windows(made, [0, 2], 10)
    assert len(windows) == 70
    early = windows.at(torch.tensor([0, 3, 30]))
    assert torch.equal(early.rotations[0, 0], early.rotations[0, -1])
    assert torch.equal(early.positions[1, :7], windows.positions[:1].expand(7, -1, -1))
    assert torch.equal(early.rotations[2], windows.rotations[30].expand(10, -1, -1, -1))


def test_windows_seen_from_the_last_head_fit_their_own_kinematics(skeleton):
    windows = Windows(library(skeleton), [0, 1, 2], 8)
    drawn = windows.draw(16, torch.Generator().manual_seed(3), mirror=True, turn=True).seen_from_last()
    yaw, origin = frame_of(drawn.device_rotations[:, -1], drawn.device_positions[:, -1])
    assert float(yaw.abs().max()) < 1e-5 and float(origin[:, :2].abs().max()) < 1e-5
    world, positions = skeleton.fk(drawn.rotations)
    assert (
        float((positions - positions[:, :, :1] - drawn.positions + drawn.positions[:, :, :1]).abs().max()) < 1e-3
    )
    assert torch.allclose(world[:, :, [15, 20, 21]], drawn.device_rotations, atol=1e-5)
    same = windows.draw(16, torch.Generator().manual_seed(3), turn=True).seen_from_last()
    assert torch.equal(same.positions, drawn.positions)


def test_splits_keep_tests_out(skeleton, tmp_path):
    made = library(skeleton)
    assert made.split("heldout") == ([0, 2], [1]) and made.split("cross") == ([0, 1], [2])
    random = [k for k in range(3) if hundredth(made.clips[k]) < 10]
    assert made.split("random")[1] == random
    assert set(made.split("common")[0]) == {0} - set(random) and made.split("common")[1] == []
    made.save(tmp_path / "library.npz")
    again = Library.load(tmp_path / "library.npz")
    assert again.clips == made.clips and np.allclose(again.poses, made.poses) and again.header == made.header
    with pytest.raises(InputError, match="split: got 'other'"):
        made.split("other")


def test_a_library_of_the_paper_has_its_own_split(skeleton):
    made = library(skeleton)
    paper = replace(made, header={**made.header, "test_clips": ["clip1"]})
    assert made.splits == ("heldout", "random", "cross") and paper.splits == ("paper",)
    assert paper.split("paper") == ([0, 2], [1]) and paper.split("common") == ([0, 2], [])


def test_what_is_no_library_says_so(tmp_path):
    np.savez(tmp_path / "other.npz", poses=np.zeros(3))
    with pytest.raises(InputError, match="no library of motion"):
        Library.load(tmp_path / "other.npz")


def test_trackers_refuse_what_is_not_finite():
    bad = torch.zeros(2, 3, 3)
    bad[1, 0, 0] = math.nan
    with pytest.raises(InputError, match="NaN"):
        Trackers(torch.eye(3).expand(2, 3, 3, 3), bad, torch.ones(2, 3, dtype=torch.bool))
