import numpy as np
import pytest
import torch

from avatarlab.body import poses
from avatarlab.body.open import correctives, parity, raw, source


@pytest.fixture(scope="module")
def anny_raw(anny_model):
    return raw.raw(anny_model)


@pytest.fixture(scope="module")
def people_of(anny_raw):
    return {sex: raw.centres(anny_raw.source, sex, 3, seed=5) for sex in ("male", "female")}


@pytest.mark.parametrize("sex", ["male", "female"])
def test_bodies_are_annys_own_in_any_pose(anny_model, anny_raw, people_of, sex):
    rotations = correctives.random_rotations(2, seed=1)
    theta = people_of[sex][0]
    vertices, joints = parity.pose_anny(
        anny_model, anny_raw.source, anny_raw.rotations, theta.repeat(2, 1), rotations
    )
    mine = anny_raw.posed(theta, rotations)
    assert np.abs(mine[:, : len(vertices[0])] - vertices).max() < 2e-5
    assert np.abs(raw.markers(mine) - joints).max() < 2e-5


def test_the_standing_family_is_exact(anny_raw, people_of):
    stand = raw.rotations_of(poses.standing())
    bodies = anny_raw.standing(stand)
    for theta in people_of["female"]:
        assert np.abs(bodies.points(theta[None])[0].numpy() - anny_raw.posed(theta, stand[None])[0]).max() < 2e-5


def test_blendshapes_that_were_dropped_are_not_missed(anny_model, anny_raw, people_of):
    whole = source.load(anny_model, raw.FURTHER)
    assert len(anny_raw.source.vertex_shapes) < len(whole.vertex_shapes)
    for theta in people_of["male"]:
        full, few = (s.coefficients(theta[None].double())[0].float().numpy() for s in (whole, anny_raw.source))
        assert np.abs(whole.rest(full)[0] - anny_raw.source.rest(few)[0]).max() < 2e-5


def test_further_parameters_move_one_side_alone(anny_raw):
    column = anny_raw.source.parameters.index("l-lowerleg-muscle-incr")
    theta = raw.centres(anny_raw.source, "male", 1, seed=0)[0]
    more = theta + 0.5 * torch.eye(len(theta))[column]
    still = raw.rotations_of(poses.tpose())[None]
    moved = np.linalg.norm(anny_raw.posed(more, still) - anny_raw.posed(theta, still), axis=2)[0]
    left = anny_raw.posed(theta, still)[0][:, 0] > 0
    assert moved[left].max() > 1e-3
    assert moved[~left].max() < 1e-5


def test_people_differ_in_what_no_tape_sees(anny_raw):
    drawn = raw.centres(anny_raw.source, "female", 300, seed=0)[:, -len(raw.NUISANCE) :]
    expected = torch.tensor(list(raw.NUISANCE.values()))
    assert drawn.std(0) == pytest.approx(expected, rel=0.2)
    assert (drawn.abs() <= raw.NUISANCE_LIMIT * expected + 1e-6).all()
    both = drawn[:, [list(raw.NUISANCE).index(f"{s}-upperarm-muscle-incr") for s in "lr"]]
    assert abs(float(torch.corrcoef(both.T)[0, 1])) < 0.2


def test_bounds_hold_nuisances_fast_and_leave_the_rest_as_it_was(anny_raw, anny):
    from avatarlab.body.open import people

    _, _, spread = raw.bounds(anny_raw.source)
    assert (spread[-len(raw.FURTHER) :] == raw.FIXED).all()
    assert torch.equal(spread[: -len(raw.FURTHER)], people.bounds(anny)[2])
