import numpy as np
import pytest

from avatarlab.measure import DEFINITIONS, sections, tapes


def length(loop) -> float:
    points = np.concatenate([loop.points, loop.points[:1]]) if loop.closed else loop.points
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_each_loop_is_as_long_as_its_tape(doll, definition):
    values = tapes(doll, doll.template, definition)
    for name, loop in sections(doll, doll.template, definition).items():
        assert length(loop) == pytest.approx(float(values[name]), rel=5e-4), name


def test_loops_of_the_open_body(open_body, people):
    for vertices in people[::3]:
        values = tapes(open_body, vertices)
        for name, loop in sections(open_body, vertices).items():
            assert length(loop) == pytest.approx(float(values[name]), rel=5e-4), name


def test_girths_are_closed_and_lengths_are_not(doll):
    loops = sections(doll, doll.template)
    assert loops["waist"].closed and not loops["stature"].closed
    assert np.ptp(loops["waist"].points[:, 1]) < 1e-6


def test_one_body_at_a_time(doll):
    with pytest.raises(ValueError, match="vertices: got shape"):
        sections(doll, doll.template[None])
