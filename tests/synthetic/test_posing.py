import math

import numpy as np
import pytest
import torch
from crowd import joint

from avatarlab.body import poses
from avatarlab.synthetic import posing


@pytest.fixture(scope="module")
def seen(open_body):
    """Twenty poses of the mean man per view: (view, vertices (V, 3), joints (55, 3), camera)."""
    found = []
    betas = open_body.shape_prior("male")[0]
    for view in posing.VIEWS:
        for seed in range(20):
            chance = np.random.default_rng(seed)
            posed = open_body(betas=betas, pose=posing.sloppy(chance, view))
            skin = posed.vertices[: open_body.skin_count]
            found.append((view, skin, posed.joints, posing.camera(skin, chance, view)))
    return found


def test_the_whole_person_is_in_every_picture(seen):
    for _, skin, _, camera in seen:
        pixels, depth = camera.project(skin)
        assert (depth > 1).all() and (pixels > 0).all()
        assert (pixels < torch.tensor([camera.width, camera.height])).all()
        assert np.ptp(pixels[:, 1].numpy()) > 300


def test_cameras_are_phones(seen):
    for _, skin, _, camera in seen:
        floor = float(skin[:, 1].min())
        assert 0.9 <= float(camera.eye[1]) - floor <= 1.6
        assert 2.0 < float(camera.eye[[0, 2]].norm()) < 4.3
        fov = 2 * math.degrees(math.atan(camera.height / 2 / float(camera.K[1, 1])))
        assert 35 < fov < 100
        assert 500 <= camera.height <= 820 and camera.width == round(0.75 * camera.height)


def test_side_views_are_a_quarter_turn_to_either_side(seen):
    rotations = {view: [] for view in posing.VIEWS}
    for view, _, _, camera in seen:
        back = -camera.viewmat[2, :3]  # from the person to the camera
        rotations[view].append(math.degrees(math.atan2(float(back[0]), float(back[2]))))
    assert max(map(abs, rotations["front"])) < 15
    for view in ("side", "side_arms"):
        assert all(81.9 < abs(turn) < 98.1 for turn in rotations[view])
        assert min(rotations[view]) < 0 < max(rotations[view])


def test_arms_are_where_the_view_wants_them(seen):
    down = {view: [] for view in posing.VIEWS}
    for view, _, joints, _ in seen:
        upper = joint(joints, "left_elbow") - joint(joints, "left_shoulder")
        down[view].append(math.degrees(math.asin(-upper[1] / np.linalg.norm(upper))))
    assert 25 < np.mean(down["front"]) < 55
    assert np.mean(down["side_arms"]) > np.mean(down["front"]) + 15


def test_both_feet_stay_near_the_floor(seen):
    for _, _, joints, _ in seen:
        left, right = joint(joints, "left_ankle"), joint(joints, "right_ankle")
        assert abs(left[1] - right[1]) < 0.06


def test_people_stand_upright_but_not_alike(seen):
    heads = np.stack([joint(joints, "head") - joint(joints, "pelvis") for _, _, joints, _ in seen])
    assert (heads[:, 1] > 0.55).all()
    assert 0.005 < heads[:, 0].std() < 0.08


def test_same_chance_same_pose():
    one, two = (posing.sloppy(np.random.default_rng(1), "front") for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, poses.apose())
