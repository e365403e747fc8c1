"""Cameras, poses and what is told, there and back."""

import pytest
import roma
import torch

from avatarlab.body import poses
from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.crop import COLUMNS, PERSON_PX, ROWS
from avatarlab.fit.regressor.encoding import Frame


@pytest.fixture
def frame():
    return Frame(torch.tensor([[0.1, -0.2], [0.0, 0.3]]), torch.tensor([180.0, 220.0]), torch.tensor([2.5, 3.5]))


def test_a_view_comes_back_as_it_was(frame):
    rotation = roma.random_rotmat(2)
    shift = torch.tensor([[0.2, -0.1, 3.0], [-0.4, 0.3, 2.2]])
    pose = poses.standing() + 0.0
    pose = pose.repeat(2, 1, 1)
    pose[:, 1:22] += 0.3 * torch.randn(2, 21, 3, generator=torch.Generator().manual_seed(1))
    back = encoding.decode_view(encoding.encode_view(rotation, shift, pose, frame), frame)
    for ours, true in zip(back, (rotation, shift, pose), strict=True):
        assert torch.allclose(ours, true, atol=1e-5)


def test_six_numbers_are_a_rotation():
    rotations = roma.random_rotmat(20)
    assert torch.allclose(encoding.from_six(encoding.six(rotations)), rotations, atol=1e-5)
    crooked = encoding.from_six(torch.randn(20, 6, generator=torch.Generator().manual_seed(1)))
    assert torch.allclose(crooked @ crooked.mT, torch.eye(3).expand(20, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(crooked), torch.ones(20), atol=1e-5)


def test_toward_turns_the_axis_into_the_ray():
    slopes = torch.tensor([[0.0, 0.0], [0.3, 0.0], [-0.2, 0.5]])
    axis = encoding.toward(slopes) @ torch.tensor([0.0, 0.0, 1.0])
    assert torch.allclose(axis[:, :2] / axis[:, 2:], slopes, atol=1e-5)


def test_a_pelvis_in_the_crops_middle_at_the_frames_distance_is_all_zero(frame):
    shift = torch.cat([frame.centre * frame.distance[:, None], frame.distance[:, None]], 1)
    view = encoding.encode_view(torch.eye(3).expand(2, 3, 3), shift, poses.standing().expand(2, 55, 3), frame)
    assert view.place.abs().max() < 1e-5 and view.pose.abs().max() == 0


def test_a_frame_stands_a_person_as_far_as_the_height_implies():
    scale, stature, focal = torch.tensor([0.25]), torch.tensor([1.8]), torch.tensor([900.0])
    corner = torch.tensor([[300.0 - COLUMNS * 2, 400.0 - ROWS * 2]])
    here = encoding.frame(corner, scale, focal, torch.tensor([[600.0, 800.0]]), stature)
    assert torch.allclose(here.centre, torch.zeros(1, 2))
    assert float(here.distance) == pytest.approx(900.0 * 1.8 / (PERSON_PX / 0.25))


def test_what_is_not_told_leaves_no_trace():
    stature, nothing = torch.tensor([1.8]), torch.zeros(1)
    told = encoding.subject_features(stature, nothing, nothing)[0]
    assert told[0] == 1 and told[1] == pytest.approx(1.0) and not told[2:].any()
    heavy = encoding.subject_features(stature, torch.tensor([90.0]), torch.tensor([-1.0]))[0]
    assert heavy[4] > 0 and heavy[5] == 1 and heavy[2] == -1
