"""People beyond the body's components: a bump that no component has must come back."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avatarlab.body import poses
from avatarlab.fit.regressor.extended_shapes import _with, extend_shapes
from avatarlab.fit.regressor.shape_sampler import ShapeSampler

SHAPES = 48


@pytest.fixture(scope="module")
def bumps(open_body):
    """Two smooth fields (2, V, 3) m: a thicker belly in front, longer feet."""
    at = open_body.template
    belly = torch.exp(-((at - open_body.template[open_body.landmarks["BELLY_BUTTON"]]).norm(dim=1) ** 2) / 0.01)
    feet = (at[:, 1] < at[:, 1].min() + 0.08).float()
    return torch.stack(
        [
            0.03 * belly[:, None] * torch.tensor([0.0, 0.0, 1.0]),
            0.02 * feet[:, None] * torch.tensor([0.0, 0.0, 1.0]),
        ]
    )


@pytest.fixture(scope="module")
def crowd(open_body, bumps):
    """Six people of the body with the bumps, as participants are seen."""
    true = _with(open_body, torch.zeros_like(open_body.template), bumps, SHAPES)
    found = []
    for k in range(6):
        betas = torch.cat(
            [
                0.5 * torch.randn(SHAPES, generator=torch.Generator().manual_seed(k)),
                torch.eye(2)[k % 2] * (k - 2.5),
            ]
        )
        with torch.no_grad():
            posed = true(betas=betas, pose=poses.apose(50))
        skin = posed.vertices[: open_body.skin_count] - posed.joints[0]
        shot = SimpleNamespace(vertices=skin, joints=posed.joints - posed.joints[0], pose=poses.apose(50))
        found.append(SimpleNamespace(sex=("male", "female")[k % 2], shots={"front": shot}))
    return found


def test_participants_are_bodies_of_the_wider_space(open_body, crowd):
    wide = extend_shapes(open_body, crowd)
    assert wide.betas.shape == (6, SHAPES + wide.further) and wide.sexes.tolist() == [1, -1] * 3
    for one, betas in zip(crowd, wide.betas, strict=True):
        with torch.no_grad():
            posed = wide.body(betas=betas, pose=one.shots["front"].pose)
            plain = open_body(betas=betas[:SHAPES], pose=one.shots["front"].pose)
        off = [
            (x.vertices[: open_body.skin_count] - x.joints[0] - one.shots["front"].vertices).norm(dim=1)
            for x in (posed, plain)
        ]
        assert off[0].max() < 0.5 * off[1].max() and off[0].mean() < 0.5 * off[1].mean()
        assert off[1].max() > 5e-3


def test_the_body_itself_is_left_alone(open_body, crowd):
    before = open_body(betas=torch.ones(SHAPES)).vertices
    extend_shapes(open_body, crowd)
    assert torch.equal(open_body(betas=torch.ones(SHAPES)).vertices, before)


def test_without_participants_it_is_the_body(open_body):
    wide = extend_shapes(open_body)
    assert wide.body is open_body and wide.further == 0


def test_draws_are_people_of_both_sexes_and_repeat(open_body, crowd, chance):
    draws = ShapeSampler(extend_shapes(open_body, crowd))
    one, other = (draws(np.random.default_rng(3), 6) for _ in range(2))
    assert torch.equal(one.betas, other.betas) and set(one.sex.tolist()) == {1.0, -1.0}
    assert (one.stature_m > 1.3).all() and (one.stature_m < 2.2).all() and (one.weight_kg > 30).all()
    assert not torch.equal(draws(np.random.default_rng(4), 6).betas, one.betas)
