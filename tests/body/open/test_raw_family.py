import numpy as np
import pytest
import torch

from avatarlab.body import poses
from avatarlab.body.open import container, correctives, people, raw, vertex_order


@pytest.fixture(scope="module")
def bodies(anny, t_pose):
    return raw.family(anny, t_pose)


def test_modes_keep_every_body_within_a_tenth_of_a_millimetre(anny, t_pose, bodies):
    theta = people.centres(anny, "female", 5, seed=3)
    order = vertex_order.permutation(anny.vertices)
    for coefficients, points in zip(anny.coefficients(theta).numpy(), bodies.points(theta).numpy(), strict=True):
        vertices, joints = t_pose.at(coefficients)
        off = np.linalg.norm(np.concatenate([vertices[order], joints]) - points, axis=1)
        assert off.mean() < 1e-4


def test_jacobian_agrees_with_differences(anny, bodies):
    theta = people.centres(anny, "male", 2, seed=4)
    jacobian = bodies.jacobian(theta)
    for column in (2, 3, 4, 10, 20, 40):
        step = torch.zeros_like(theta)
        step[:, column] = 1e-2
        slope = (bodies.coordinates(theta + step) - bodies.coordinates(theta - step)) / 2e-2
        assert torch.allclose(jacobian[:, :, column], slope, atol=2e-2 * float(slope.abs().max()))


def test_posing_all_bodies_at_once_is_posing_each(anny, t_pose, bodies):
    rng = np.random.default_rng(0)
    skin = container.skinning(anny, t_pose, 1e-3 * rng.standard_normal((len(anny.vertices), 3, 486)))
    stand = raw.rotations_of(poses.standing())
    theta = people.centres(anny, "male", 1, seed=0)
    base, modes = raw.pose_bodies(bodies.base, *skin, stand), raw.moved(bodies.modes, skin[0], stand)
    mixed = base + torch.tensordot(bodies.coordinates(theta)[0], modes, 1)
    assert torch.allclose(mixed, raw.pose_bodies(bodies.points(theta)[0], *skin, stand), atol=1e-9)


def test_plain_skinning_turns_a_lone_joint_rigidly(bodies):
    weights = np.zeros((3 + 55, 55))
    weights[:3, 0] = 1
    weights[3:] = np.eye(55)
    points = torch.cat([torch.eye(3), torch.zeros(55, 3)]).double()
    turn = np.tile(np.eye(3), (55, 1, 1))
    turn[0] = correctives.random_rotations(1, seed=1)[0, 16]
    moved = raw.moved(points, weights, turn)
    assert moved[:3].numpy() == pytest.approx(turn[0].T, abs=1e-12)
