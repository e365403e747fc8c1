"""Steps and slopes: projections by hand, slopes against differences."""

import math

import torch

from avatarlab.body import poses
from avatarlab.body.jacobians import Jacobians
from avatarlab.fit.estimator.state import (
    PER_VIEW,
    POSED,
    State,
    camera,
    keypoint_moves,
    project_points,
    shift_onto_keypoints,
    start_view,
)
from avatarlab.photo.keypoints import Keypoints


def pixels(body, state, points, size=(300, 400)):
    view = state.views[0]
    posture = Jacobians(body, len(state.betas), range(1, POSED)).at(state.betas, view.pose)
    moves = keypoint_moves(posture, view, points, points.vertices)
    return project_points(moves, view, size, len(state.betas) + 6)


def test_slopes_are_differences(body):
    points = Keypoints(body)
    state = State(torch.zeros(48), (start_view(poses.apose(), 0.3, 500.0),))
    image = pixels(body, state, points)
    chance = torch.Generator().manual_seed(1)
    step = 0.004 * torch.randn(48 + PER_VIEW, generator=chance, dtype=torch.float64)
    moved = pixels(body, state.moved(step), points).pixels
    guess = image.pixels + image.slopes @ step
    assert (moved - guess).norm() < 0.03 * (moved - image.pixels).norm()


def test_camera_sees_what_the_moves_say(body):
    points = Keypoints(body)
    view = start_view(poses.apose(), -1.2, 600.0)
    posed = body(pose=view.pose, vertices=points.vertices)
    seen, _ = camera(view, posed.joints[0], (300, 400)).project(points(posed.joints, posed.vertices))
    ours = pixels(body, State(torch.zeros(48), (view,)), points).pixels
    assert (seen.double() - ours).abs().max() < 0.01


def test_turn_is_to_the_persons_own_left(body):
    """Yaw +90 degrees: the person's front looks to the right of the image."""
    view = start_view(poses.tpose(), math.pi / 2, 500.0)
    front = view.rotation @ torch.tensor([0.0, 0.0, 1.0])
    assert torch.allclose(front, torch.tensor([1.0, 0.0, 0.0]), atol=1e-5)


def test_depth_of_an_upright_person_is_focal_times_stature_over_height():
    head_and_heels = torch.tensor([[0.0, -1.7, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    seen = torch.tensor([[150.0, 40.0], [150.0, 380.0]], dtype=torch.float64)
    shift = shift_onto_keypoints(head_and_heels, seen, torch.ones(2, dtype=torch.float64), 500.0, (300, 400))
    assert abs(float(shift[2]) - 500 * 1.7 / 340) < 1e-9
    back = 500 * (head_and_heels + shift)[:, :2] / shift[2] + torch.tensor([150.0, 200.0])
    assert (back - seen).abs().max() < 1e-9


def test_keypoint_table_is_whole_and_symmetric(body):
    points = Keypoints(body)
    assert torch.allclose(points.shares.sum(1), torch.ones(33), atol=2e-3)
    posed = body(vertices=points.vertices)
    found = points(posed.joints, posed.vertices)
    left, right = found[[11, 13, 15, 23, 25, 27]], found[[12, 14, 16, 24, 26, 28]]
    assert (left * torch.tensor([-1.0, 1.0, 1.0]) - right).abs().max() < 0.01
