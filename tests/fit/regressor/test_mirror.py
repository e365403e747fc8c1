"""The mirror, and what is averaged over it."""

import torch

from avatarlab.fit.regressor.crop import channels
from avatarlab.fit.regressor.evaluate import shown
from avatarlab.fit.regressor.mirror import mirrored, partners, pred_twice


def test_a_mirror_undoes_itself(people):
    seen = shown(people, "front_side")
    for one, back in zip(seen, mirrored(mirrored(seen)), strict=True):
        assert torch.allclose(one, back, atol=1e-5)


def test_every_keypoint_but_the_nose_has_a_partner():
    swap = partners()
    assert [swap[k] for k in swap] == list(range(33))
    assert [k for k in range(33) if swap[k] == k] == [0]


def test_the_mirrored_crop_is_what_a_mirrored_photo_gives(people):
    seen = shown(people, "front")
    flipped = mirrored(seen)
    soft, points = flipped.image[0, 0, 0].numpy(), flipped.points[0, 0].numpy()
    again = torch.from_numpy(channels(soft, points[:, :2], "front"))
    assert float((again - flipped.image[0, 0]).abs().sum() / again.abs().sum()) < 0.06


def test_both_sides_of_the_mirror_get_one_answer(network, people):
    seen = shown(people, "front_side")
    with torch.no_grad():
        here, there = pred_twice(network, seen), pred_twice(network, mirrored(seen))
        alone = network(seen)
    assert torch.allclose(here.mean, there.mean, atol=1e-4)
    assert not torch.allclose(here.mean, alone.mean, atol=1e-3)
    assert torch.allclose(here.views.pose, alone.views.pose, atol=1e-5)
