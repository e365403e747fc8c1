"""A shape that survives a body file whose components were made anew."""

import copy

import torch

from avatarlab.body.skinning import Points
from avatarlab.fit.regressor import anchors

SHAPES = 48


def remade(body, turn):
    """The body with its first components mixed by ``turn`` (48, 48)."""
    found = copy.deepcopy(body)
    old = body._skin.points
    shape = copy.deepcopy(old.shape)
    shape.matrix[:SHAPES] = torch.einsum("ij,jkv->ikv", turn, old.shape.matrix[:SHAPES])
    found._skin.points = Points(old.template, shape, old.expression)
    found._joints = found._skin.points.through(body.joint_regressor)
    found._subsets = {}
    return found


def test_the_same_body_needs_no_translation(open_body):
    turn, shift = anchors.translation(open_body, anchors.packed(open_body, SHAPES))
    assert torch.allclose(turn, torch.eye(SHAPES), atol=5e-3) and shift.abs().max() < 5e-3


def test_turned_and_flipped_components_say_the_same_body(open_body):
    chance = torch.Generator().manual_seed(0)
    signs = torch.diag(torch.sign(torch.randn(SHAPES, generator=chance)))
    signs[:6, :6] = torch.linalg.qr(torch.randn(6, 6, generator=chance)).Q
    other = remade(open_body, signs)
    turn, shift = anchors.translation(other, anchors.packed(open_body, SHAPES))
    betas = torch.randn(SHAPES, generator=chance)
    ours, theirs = open_body(betas=betas).vertices, other(betas=turn @ betas + shift).vertices
    assert (ours - theirs).norm(dim=-1).max() < 2e-4


def test_another_body_is_refused(open_body):
    packed = anchors.packed(open_body, SHAPES)
    other = copy.deepcopy(open_body)
    other._skin.points.template *= 1.05
    other._subsets = {}
    assert anchors.translation(other, packed) is None
    packed["anchor_vertices"] = packed["anchor_vertices"] + open_body.skin_count
    assert anchors.translation(open_body, packed) is None
