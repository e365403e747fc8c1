"""Slopes in closed form against differences of the forward pass, and the left Jacobian against turns."""

import pytest
import roma
import torch

from avatarlab.body import poses
from avatarlab.body.jacobians import Jacobians, left_jacobian

TURNED = range(1, 22)
STEP = 1e-2


@pytest.fixture(scope="module")
def posed(open_body):
    chance = torch.Generator().manual_seed(3)
    pose = poses.apose(45) + 0.1 * torch.randn(55, 3, generator=chance)
    betas = 0.5 * torch.randn(48, generator=chance)
    return betas, pose, Jacobians(open_body, 48, TURNED).at(betas, pose)


def test_places_are_those_of_the_forward_pass(open_body, posed):
    betas, pose, posture = posed
    known = open_body(betas=betas, pose=pose)
    assert (posture.vertices - known.vertices).abs().max() < 1e-5
    assert (posture.joints - known.joints).abs().max() < 1e-5


def test_slopes_by_shape_are_exact(open_body, posed):
    betas, pose, posture = posed
    chosen = torch.arange(0, open_body.skin_count, 37)
    by_shape, _ = posture.vertex_slopes(chosen)
    step = torch.linspace(1, -1, 48)
    known = open_body(betas=betas + step, pose=pose)
    assert (posture.vertices[chosen] + by_shape @ step - known.vertices[chosen]).abs().max() < 1e-5
    joints, _ = posture.joint_slopes()
    assert (posture.joints + joints @ step - known.joints).abs().max() < 1e-5


def test_slopes_by_pose_lack_only_the_correctives(open_body, posed):
    betas, pose, posture = posed
    chosen = torch.arange(0, open_body.skin_count, 37)
    step = torch.zeros(55, 3)
    step[1:22] = STEP * torch.randn(21, 3, generator=torch.Generator().manual_seed(5))
    ends = [open_body(betas=betas, pose=pose + sign * step) for sign in (1, -1)]
    moved, joints = ((ends[0][k] - ends[1][k]) / 2 for k in (0, 1))
    bend = step[1:22].reshape(-1)
    _, by_pose = posture.vertex_slopes(chosen)
    off = (by_pose @ bend - moved[chosen]).norm(dim=1)
    assert off.max() < 2e-3 and off.norm() < 0.03 * moved[chosen].norm()
    _, by_pose = posture.joint_slopes()
    assert (by_pose @ bend - joints).abs().max() < 1e-4


def test_a_subset_knows_the_same(open_body, posed):
    betas, pose, posture = posed
    chosen = torch.tensor([5, 4000, 9000])
    few = Jacobians(open_body, 48, TURNED, chosen).at(betas, pose)
    for ours, known in zip(few.vertex_slopes(torch.arange(3)), posture.vertex_slopes(chosen), strict=True):
        assert (ours - known).abs().max() < 1e-5


@pytest.mark.parametrize("length", [0.0, 1e-4, 0.7, 2.5])
def test_left_jacobian_is_the_turn_per_change(length):
    turn = length * torch.nn.functional.normalize(torch.tensor([[0.3, -0.8, 0.5]], dtype=torch.float64), dim=1)
    step = 1e-5 * torch.tensor([[0.2, 0.9, -0.4]], dtype=torch.float64)
    after = roma.rotvec_to_rotmat(turn + step) @ roma.rotvec_to_rotmat(turn - step).mT
    known = roma.rotmat_to_rotvec(after) / 2
    assert (left_jacobian(turn) @ step[..., None] - known[..., None]).norm() < 1e-4 * step.norm()
