import numpy as np
import pytest
import torch
from tube import person

from avatarlab.body import Block
from avatarlab.export import materials, whole_body
from avatarlab.render.picture import to_linear


def test_tone_given_beats_the_persons_own_beats_neutral():
    someone = person()
    assert materials.skin_tone(someone) == pytest.approx(materials.NEUTRAL_SKIN_SRGB)
    someone.blocks["skin"] = Block([0.4, 0.3, 0.2], np.full(3, 0.01), "srgb")
    assert materials.skin_tone(someone) == pytest.approx([0.4, 0.3, 0.2])
    assert materials.skin_tone(someone, (0.9, 0.8, 0.7)) == pytest.approx([0.9, 0.8, 0.7])


def test_eyes_are_the_faces_of_the_eyeballs_and_the_tube_has_no_tongue(tube):
    lod = whole_body(tube)
    assert materials.eye_faces(tube, lod).sum() == 2 * 80
    assert not materials.tongue_faces(tube, lod).any()


def test_pupils_look_forward(tube):
    lod = whole_body(tube)
    points = tube.template.numpy()[lod.keep]
    colors = materials.paint(tube, lod, points)
    pupil = np.flatnonzero(np.isclose(colors, to_linear(torch.tensor(materials.PUPIL_SRGB)).numpy()).all(axis=1))
    balls = [np.asarray(tube.part)[: tube.skin_count] == tube.parts.index(name) for name in materials.EYES]
    assert len(pupil) and np.isin(pupil, np.flatnonzero(balls[0] | balls[1])).all()
    for ball in balls:
        mine = np.intersect1d(pupil, np.flatnonzero(ball))
        assert (points[mine, 2] > points[ball, 2].mean() + 0.008).all(), "at the front of the ball"


def test_open_body_has_a_tongue_and_two_eyes(open_body, open_lod):
    assert materials.tongue_faces(open_body, whole_body(open_body)).sum() > 300
    assert (
        materials.eye_faces(open_body, open_lod).sum()
        == materials.eye_faces(open_body, whole_body(open_body)).sum()
    )


def test_a_view_paints_what_the_file_paints(open_body, open_lod):
    points = open_body.template.numpy()[open_lod.keep]
    colors = materials.vertex_colors(open_body, open_lod, points, np.array([0.5, 0.4, 0.3]))
    painted = np.zeros(len(points), bool)
    eyes, tongue = materials.eye_faces(open_body, open_lod), materials.tongue_faces(open_body, open_lod)
    painted[open_lod.faces[eyes | tongue]] = True
    np.testing.assert_allclose(colors[~painted], [[0.5, 0.4, 0.3]] * (~painted).sum())
    linear = to_linear(torch.as_tensor(colors[painted])).numpy()
    np.testing.assert_allclose(linear, materials.paint(open_body, open_lod, points)[painted], atol=1e-6)
