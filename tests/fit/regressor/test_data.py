"""Made-up people: what they show must be what is said to be true of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.data import drop_views, rows
from avatarlab.fit.regressor.hard_mining import crop_camera
from avatarlab.fit.regressor.loss import project_keypoints
from avatarlab.render import silhouette
from avatarlab.synthetic.clothing import clothes
from avatarlab.synthetic.posing import camera


def test_a_seed_gives_the_same_people(sampler, people):
    again = sampler.batch((5, 0), 8)
    assert torch.equal(again.image, people.image) and torch.equal(again.points, people.points)
    assert not torch.equal(sampler.batch((5, 1), 8).shapes.betas, people.shapes.betas)


def test_the_true_keypoints_are_the_true_bodys(sampler, people):
    ours = project_keypoints(sampler.body, sampler.points, people.shapes.betas, people.views, people.frame)
    exact = people.features[..., -1] > 0  # a focal length that is told right, or nearly
    assert exact.any()
    # Fingers are not said: their points are where a flat hand has them.
    body = [0, 7, 8, 11, 12, 13, 14, 23, 24, 25, 26, 27, 28]
    off = (ours - people.true_points).norm(dim=-1)[..., body]
    assert off[exact].max() < 1.5 and off.median() < 0.5


def test_the_outline_shown_is_that_of_the_true_body(sampler, people):
    rotation, shift, pose = encoding.decode_view(people.views, people.frame)
    with torch.no_grad():
        posed = sampler.body(betas=people.shapes.betas[:, None], pose=pose, vertices=sampler.mesh.vertices)
    naked = [
        (n, k)
        for n in range(8)
        for k in range(2)
        if people.features[n, k, -3] > 0 and people.features[n, k, -1] > 0
    ]
    assert naked, "nobody is naked with a known focal length; choose another seed"
    for n, k in naked:
        camera = crop_camera(
            rotation[n, k], shift[n, k], people.frame.centre[n, k], float(people.frame.focal[n, k])
        )
        cover = silhouette(posed.vertices[n, k] - posed.joints[n, k, :1], sampler.mesh.faces, camera)
        shown = people.image[n, k, 0].float()
        assert float((cover - shown).abs().sum() / shown.sum()) < 0.06


def test_clothes_make_wider(sampler, chance):
    shapes = sampler.draws(chance, 1)
    subjects, _ = sampler.subjects(shapes, chance)
    seen = camera(subjects[0].skin, chance, "front")
    naked, dressed = (
        sampler.studio.outline(replace(subjects[0], worn=worn), seen, np.random.default_rng(1)).sum()
        for worn in (None, clothes(chance, "female"))
    )
    assert dressed > 1.02 * naked


def test_things_are_left_out_at_random(people):
    many = rows(people, torch.arange(8).repeat(40))
    seen = drop_views(many, np.random.default_rng(0))
    front, side = seen.present.mean(0).tolist()
    assert front == pytest.approx(0.95, abs=0.05) and side == pytest.approx(0.65, abs=0.1)
    assert (seen.present.sum(1) > 0).all()
    assert seen.image[seen.present == 0].abs().max() == 0
    assert float(seen.given[:, 5].mean()) == pytest.approx(0.5, abs=0.1)
