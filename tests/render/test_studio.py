import numpy as np
import pytest
import torch

from avatarlab.render import fitting, portrait

BOX = torch.tensor([[x, y, z] for x in (-0.3, 0.3) for y in (0.0, 1.8) for z in (-0.1, 0.1)])
FACES = torch.tensor([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6]])
FACES = torch.cat([FACES, torch.tensor([[0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]])])


@pytest.mark.parametrize("turn", [0, 35, 90, 180])
@pytest.mark.parametrize(("width", "height"), [(320, 480), (500, 200)])
def test_all_points_are_in_the_picture_and_fill_it(turn, width, height):
    pixels, depth = fitting(BOX, turn, width, height).project(BOX)
    assert (depth > 0).all() and (pixels >= 0).all()
    assert (pixels[:, 0] <= width).all() and (pixels[:, 1] <= height).all()
    assert max(np.ptp(pixels[:, 0]) / width, np.ptp(pixels[:, 1]) / height) > 0.7


def test_walking_to_the_left_shows_the_left_side():
    camera = fitting(BOX, 90)
    assert camera.eye[0] > 1 and abs(float(camera.eye[2])) < 1e-4


def test_portrait_is_a_picture_of_the_mesh_on_white():
    picture = portrait(BOX.double().numpy(), FACES.numpy(), width=120, height=160)
    assert picture.shape == (160, 120, 3)
    assert picture[0, 0] == pytest.approx([1, 1, 1], abs=1e-3) and picture[80, 60].max() < 0.95


def test_vertices_that_no_face_uses_do_not_widen_the_frame():
    far = torch.cat([BOX, torch.tensor([[50.0, 0, 0]])])
    assert np.allclose(portrait(far, FACES, width=60, height=80), portrait(BOX, FACES, width=60, height=80))
