"""Stick figures and foot strips: closed forms of the side view, and sheets that hold what they should."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from avatarlab.motion import plots
from avatarlab.motion.skeleton import JOINT, PARENT


def standing(frames: int = 30) -> np.ndarray:
    """Positions (T, 22, 3) m of a made-up figure that faces -y, z up, and walks along -y at 1 m/s."""
    rng = np.random.default_rng(0)
    positions = np.repeat(rng.uniform(-0.3, 0.3, (1, 22, 3)) + [0, 0, 1], frames, 0)
    positions[:, JOINT["left_hip"]], positions[:, JOINT["right_hip"]] = [0.1, 0, 0.9], [-0.1, 0, 0.9]
    positions[:, [JOINT["left_foot"], JOINT["right_foot"]], 2] = 0.02
    positions[:, :, 1] -= np.arange(frames)[:, None] / 60
    return positions


def test_hips_face_as_the_body_at_rest_does():
    assert plots.facing(standing(3)) == pytest.approx(np.tile([0.0, -1.0], (3, 1)))


def test_side_view_keeps_heights_and_measures_along_the_direction():
    flat = plots.side_view(np.array([[3.0, 4.0, 1.7]]), np.array([0.0, -1.0]), np.array([1.0, 1.0]))
    assert flat == pytest.approx(np.array([[-3.0, 1.7]]))


def test_bones_join_each_joint_to_its_parent():
    assert {(int(a), int(b)) for a, b in plots.BONES} == {(PARENT[j], j) for j in range(1, 22)}


def test_sheet_shows_every_moment_of_every_row_on_one_scale():
    walk = standing(61)
    figure = plots.contact_sheet({"alone": walk, "two": {"truth": walk, "ours": walk + 0.1}}, moments=6)
    first, second = figure.axes
    assert len(first.collections) == 6 and len(second.collections) == 12
    assert first.get_xlim() == second.get_xlim() and first.get_ylim() == second.get_ylim()
    assert [label.get_text() for label in first.get_xticklabels()] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["truth", "ours"]
    plt.close(figure)


def test_camera_walks_along():
    """A figure that only walks looks the same at every moment, but for its place on the sheet."""
    figure = plots.contact_sheet({"walk": standing(61)}, moments=3)
    shapes = [np.array(c.get_segments()) for c in figure.axes[0].collections]
    assert shapes[2] - shapes[0] == pytest.approx(np.broadcast_to([2 * plots._CELL_M, 0], shapes[0].shape))
    plt.close(figure)


def test_foot_strip_draws_heights_in_centimetres_and_contacts_as_bars():
    walk = standing(30)
    figure = plots.foot_strip({"truth": walk}, {"truth": np.ones((30, 2), bool)})
    left, right = figure.axes
    assert left.lines[0].get_ydata() == pytest.approx(2.0) and len(right.collections) == 1
    plt.close(figure)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="positions '': got shape"):
        plots.contact_sheet({"bad": np.zeros((5, 21, 3))})
    with pytest.raises(ValueError, match="positions 'b': got shape"):
        plots.contact_sheet({"bad": {"a": standing(5), "b": standing(6)}})
