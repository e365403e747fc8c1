"""Arms and legs that reach: the law of cosines, kept swivels, nearest points out of reach, and no jumps."""

import math

import pytest
import roma
import torch
from moving import swaying

from avatarlab.motion.skeleton import Skeleton
from avatarlab.motion.trackers import Trackers
from avatarlab.motion.two_bone_ik import ARMS, COLLAR_TURN, LEGS, arms, legs, reach
from avatarlab.motion.wrist_targets import WristTracker, wrist_targets

WRISTS, ANKLES, ELBOWS, SHOULDERS = (list(x) for x in (ARMS.end, LEGS.end, ARMS.hinge, ARMS.root))


@pytest.fixture(scope="module")
def skeleton(open_body) -> Skeleton:
    return Skeleton.of(open_body)


def turned(rotations, size: float, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return rotations @ roma.rotvec_to_rotmat(size * torch.randn(*rotations.shape[:-1], generator=generator))


def test_wrists_and_ankles_arrive(skeleton):
    motion = swaying(skeleton)
    world, positions = skeleton.fk(*motion)
    wrong = turned(motion.rotations, 0.06)
    out = legs(skeleton, arms(skeleton, wrong, motion.trans, positions[:, WRISTS], world[:, WRISTS]), motion.trans,
               positions[:, ANKLES])  # fmt: skip
    after, there = skeleton.fk(out, motion.trans)
    roots = list(LEGS.root) + SHOULDERS
    near = (there[:, roots] - positions[:, ANKLES + WRISTS]).norm(dim=-1) < torch.cat(
        [reach(skeleton, x) for x in (LEGS, ARMS)]
    ) - 1e-4
    assert near.float().mean() > 0.9
    assert (there - positions)[:, ANKLES + WRISTS].norm(dim=-1)[near].max() < 1e-4
    assert roma.rotmat_geodesic_distance(after[:, WRISTS], world[:, WRISTS]).max() < 2e-3
    before = skeleton.fk(wrong, motion.trans)[0]
    assert roma.rotmat_geodesic_distance(after[:, ANKLES], before[:, ANKLES]).max() < 2e-3
    assert (out @ out.mT - torch.eye(3)).abs().max() < 1e-5 and torch.linalg.det(out).min() > 0.999


def test_nothing_but_the_limbs_moves(skeleton):
    motion = swaying(skeleton, 8)
    world, positions = skeleton.fk(*motion)
    out = arms(skeleton, turned(motion.rotations, 0.05), motion.trans, positions[:, WRISTS], world[:, WRISTS])
    limbs, collars = [*ARMS.root, *ARMS.hinge, *ARMS.end], list(ARMS.girdle)
    rest = [j for j in range(22) if j not in limbs + collars]
    before = turned(motion.rotations, 0.05)
    assert torch.equal(out[:, rest], before[:, rest])
    assert (out - before)[:, collars].abs().max() < 1e-5


def test_who_is_there_already_stays(skeleton):
    motion = swaying(skeleton, 60)
    world, positions = skeleton.fk(*motion)
    out = arms(skeleton, motion.rotations, motion.trans, positions[:, WRISTS], world[:, WRISTS])
    assert (skeleton.fk(out, motion.trans)[1] - positions).abs().max() < 1e-4
    assert (out - motion.rotations).abs().max() < 2e-3


def test_the_elbow_bends_by_the_law_of_cosines_and_keeps_its_swivel(skeleton):
    motion = swaying(skeleton, 4)
    world, positions = skeleton.fk(*motion)
    shoulder, elbow, wrist = (positions[:, x] for x in (SHOULDERS, ELBOWS, WRISTS))
    target = shoulder + 0.85 * (wrist - shoulder)
    out = arms(skeleton, motion.rotations, motion.trans, target, world[:, WRISTS])
    bent = skeleton.fk(out, motion.trans)[1][:, ELBOWS]
    a, b = (skeleton.offsets[x].norm(dim=-1) for x in (ELBOWS, WRISTS))
    cos = ((shoulder - bent) * (target - bent)).sum(-1) / (a * b)
    far = (target - shoulder).norm(dim=-1)
    assert torch.allclose(cos, (a**2 + b**2 - far**2) / (2 * a * b), atol=1e-4)
    normal = torch.linalg.cross(wrist - shoulder, elbow - shoulder)
    assert ((bent - shoulder) * torch.nn.functional.normalize(normal, dim=-1)).sum(-1).abs().max() < 1e-4
    assert (torch.linalg.cross(target - shoulder, bent - shoulder) * normal).sum(-1).min() > 0


def test_out_of_reach_is_approached_with_the_collars_help(skeleton):
    motion = swaying(skeleton, 1)
    world, positions = skeleton.fk(*motion)
    for away in (torch.tensor([0.0, -1.0, 0.6]), torch.tensor([0.0, -0.2, 2.0])):
        target = positions[:, SHOULDERS] + away
        out = arms(skeleton, motion.rotations, motion.trans, target, world[:, WRISTS])
        now = skeleton.fk(out, motion.trans)[1]
        arm, to = now[:, WRISTS] - now[:, SHOULDERS], target - now[:, SHOULDERS]
        assert torch.allclose(arm.norm(dim=-1), reach(skeleton, ARMS), atol=1e-5)
        assert torch.cosine_similarity(arm, to, dim=-1).min() > 1 - 1e-6
        assert (to.norm(dim=-1) < (target - positions[:, SHOULDERS]).norm(dim=-1)).all()
        collars = roma.rotmat_geodesic_distance(out[:, list(ARMS.girdle)], motion.rotations[:, list(ARMS.girdle)])
        assert collars.max() <= COLLAR_TURN + 1e-3


def test_just_out_of_reach_the_collar_is_enough(skeleton):
    motion = swaying(skeleton, 1)
    world, positions = skeleton.fk(*motion)
    shoulder = positions[:, SHOULDERS]
    target = shoulder + torch.tensor([0.0, -1.0, 0.3]) * (reach(skeleton, ARMS)[:, None] + 0.02) / math.hypot(
        1, 0.3
    )
    out = arms(skeleton, motion.rotations, motion.trans, target, world[:, WRISTS])
    assert (skeleton.fk(out, motion.trans)[1][:, WRISTS] - target).norm(dim=-1).max() < 1e-4


def test_limbs_move_without_a_jump(skeleton):
    """A hand that goes slowly from the chest to far out of reach and across the body."""
    motion = swaying(skeleton, 1)
    world, positions = skeleton.fk(*motion)
    u = torch.linspace(0, 1, 2000)[:, None]
    start, stop = (
        positions[:, SHOULDERS] + torch.tensor([0.1, -0.2, -0.1]),
        positions[:, SHOULDERS] + torch.tensor([-0.4, -1.0, 0.4]),
    )
    target = torch.lerp(start, stop, u[..., None])
    rotations, trans = motion.rotations.expand(2000, -1, -1, -1), motion.trans.expand(2000, 3)
    out = arms(skeleton, rotations, trans, target, world[:, WRISTS].expand(2000, -1, -1, -1))
    steps = skeleton.fk(out, trans)[1].diff(dim=0).norm(dim=-1)
    assert steps.max() < 30 * float((stop - start).norm(dim=-1).max()) / 2000
    assert roma.rotmat_geodesic_distance(out[1:], out[:-1]).max() < 0.15


@pytest.mark.parametrize("bend", [-0.05, 0.0, 1e-4, 0.05])
def test_straight_and_overstretched_limbs_bend_to_their_natural_side(skeleton, bend):
    rotations = torch.eye(3).expand(1, 22, 3, 3).clone()
    over = torch.tensor([[0.0, -bend, 0.0], [0.0, bend, 0.0], [bend, 0.0, 0.0], [bend, 0.0, 0.0]])
    rotations[:, ELBOWS + list(LEGS.hinge)] = roma.rotvec_to_rotmat(over)
    trans = torch.zeros(1, 3)
    world, positions = skeleton.fk(rotations, trans)
    shorter = positions[:, SHOULDERS] + 0.8 * (positions[:, WRISTS] - positions[:, SHOULDERS])
    hips = positions[:, list(LEGS.root)]
    out = arms(skeleton, rotations, trans, shorter, world[:, WRISTS])
    out = legs(skeleton, out, trans, hips + 0.8 * (positions[:, ANKLES] - hips))
    now = skeleton.fk(out, trans)[1][0]
    middle = (now[SHOULDERS] + now[WRISTS]) / 2
    assert (now[ELBOWS, 2] < middle[:, 2] - 0.05).all()  # elbows to the back of somebody who faces +z
    assert (now[list(LEGS.hinge), 2] > hips[0, :, 2] + 0.05).all()  # knees to the front


def test_a_frame_does_not_depend_on_others(skeleton):
    """Bit by bit, whatever another frame's hands reach for."""
    motion = swaying(skeleton, 20)
    world, positions = skeleton.fk(*motion)
    far = positions[:, WRISTS].clone()
    far[10:] += torch.tensor([0.0, -2.0, 0.0])
    near, other = (arms(skeleton, *motion, x, world[:, WRISTS]) for x in (positions[:, WRISTS], far))
    assert torch.equal(near[:10], other[:10]) and not torch.equal(near[10:], other[10:])


def test_weight_goes_from_the_pose_to_the_target(skeleton):
    motion = swaying(skeleton, 3)
    world, positions = skeleton.fk(*motion)
    target = positions[:, WRISTS] + torch.tensor([0.03, -0.05, 0.04])
    turn = turned(world[:, WRISTS], 0.2)

    def wrists(weight):
        out = arms(skeleton, motion.rotations, motion.trans, target, turn, torch.full((3, 2), weight))
        return skeleton.fk(out, motion.trans)

    assert (wrists(0.0)[1] - positions).abs().max() < 1e-4
    assert (wrists(0.5)[1][:, WRISTS] - (positions[:, WRISTS] + target) / 2).abs().max() < 1e-4
    apart = roma.rotmat_geodesic_distance(wrists(0.5)[0][:, WRISTS], turn)
    assert torch.allclose(apart, roma.rotmat_geodesic_distance(world[:, WRISTS], turn) / 2, atol=2e-3)
    assert (wrists(1.0)[1][:, WRISTS] - target).abs().max() < 1e-4


def test_known_kinematics_give_the_same(skeleton):
    motion = swaying(skeleton, 3)
    posed = skeleton.fk(*motion)
    target = posed[1][:, WRISTS] + 0.02
    given = [arms(skeleton, *motion, target, posed[0][:, WRISTS], posed=x) for x in (None, posed)]
    assert torch.equal(*given)


def test_shapes_are_asserted(skeleton):
    motion = swaying(skeleton, 2)
    with pytest.raises(ValueError, match="positions: got shape"):
        legs(skeleton, *motion, torch.zeros(2, 3, 3))


def devices(frames: int = 200) -> Trackers:
    t = torch.arange(frames) / 60
    vectors = torch.stack([torch.stack([torch.sin(t + d + k) for k in range(3)], -1) for d in range(3)], 1)
    tracked = torch.ones(frames, 3, dtype=torch.bool)
    return Trackers(roma.rotvec_to_rotmat(vectors), 0.5 * vectors.roll(1, -1), tracked)


def test_tracked_hands_are_followed_exactly():
    seen = devices()
    followed = wrist_targets(seen)
    assert torch.equal(followed.positions, seen.positions[:, 1:]) and torch.equal(
        followed.rotations, seen.rotations[:, 1:]
    )
    assert followed.weight.min() == 1


def test_a_lost_hand_is_held_and_fades_and_returns():
    seen = devices()
    seen.tracked[60:140, 1] = False
    hands = WristTracker()
    said = [hands.push(*frame) for frame in zip(seen.rotations, seen.positions, seen.tracked, strict=True)]
    weight = torch.stack([x.weight for x in said])
    assert weight[:60].min() == 1 and weight[90:140, 0].max() == 0 and weight[150:].min() == 1
    assert weight[:, 1].min() == 1 and weight.diff(dim=0).abs().max() < 0.2
    whole = wrist_targets(seen)
    assert all(
        torch.equal(torch.stack(part), both) for part, both in zip(zip(*said, strict=True), whole, strict=True)
    )
    held = whole.positions[60:140, 0]
    assert held.diff(dim=0).norm(dim=-1).max() < 0.05 and (held[0] - whole.positions[59, 0]).norm() < 0.05
    assert torch.equal(whole.positions[:, 1], seen.positions[:, 2])


def test_a_hand_never_seen_weighs_nothing():
    seen = devices(10)
    seen.tracked[:, 2] = False
    assert wrist_targets(seen).weight[:, 1].max() == 0
