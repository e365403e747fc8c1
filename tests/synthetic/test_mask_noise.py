import numpy as np
import pytest
from scipy import ndimage

from avatarlab.synthetic import mask_noise

PX_PER_M = 300.0


def half_plane(shape=(600, 400)):
    """Everything left of column 200 but for a margin."""
    mask = np.zeros(shape, bool)
    mask[20:-20, 20:200] = True
    return mask


def edges(mask, rows=slice(60, -60)):
    """Where each row's right edge is, px."""
    return mask[rows].shape[1] - mask[rows, ::-1].argmax(1)


def test_the_edge_moves_by_its_standard_deviation():
    moves = [
        edges(mask_noise.rough_edge(half_plane(), np.random.default_rng(s), PX_PER_M)) - 200 for s in range(30)
    ]
    expected = PX_PER_M * np.hypot(mask_noise.EDGE_SD_M, mask_noise.EDGE_BIAS_SD_M)
    assert np.std(moves) == pytest.approx(expected, rel=0.2)
    assert abs(np.mean(moves)) < 0.5 * expected


def test_the_edge_moves_alike_over_its_length():
    length = PX_PER_M * mask_noise.EDGE_LENGTH_M
    fields = [mask_noise.smooth_noise((400, 300), np.random.default_rng(s), length) for s in range(10)]

    def alike(apart):
        return np.mean([np.mean(f[apart:] * f[:-apart]) for f in fields])

    assert alike(2) > 0.9
    assert alike(round(0.5 * length)) > 0.4
    assert abs(alike(round(4 * length))) < 0.15


def test_without_noise_the_mask_stays(monkeypatch):
    monkeypatch.setattr(mask_noise, "EDGE_SD_M", 0.0)
    monkeypatch.setattr(mask_noise, "EDGE_BIAS_SD_M", 0.0)
    mask = half_plane()
    assert np.array_equal(mask_noise.rough_edge(mask, np.random.default_rng(0), PX_PER_M), mask)


def test_holes_are_as_many_and_as_large_as_stated(monkeypatch):
    monkeypatch.setattr(mask_noise, "HOLE_SHARE", 1.0)
    for seed in range(10):
        cut = half_plane() & ~mask_noise.holes(half_plane(), np.random.default_rng(seed), PX_PER_M)
        assert 1 <= ndimage.label(cut)[1] <= 3
        assert cut.sum() < 3 * np.pi * (PX_PER_M * mask_noise.HOLE_M[1] + 1) ** 2


def test_few_masks_have_holes():
    whole = sum(
        mask_noise.holes(half_plane(), np.random.default_rng(s), PX_PER_M).sum() == half_plane().sum()
        for s in range(100)
    )
    assert 60 < whole < 90


def test_what_is_delivered_is_one_piece():
    for seed in range(10):
        assert ndimage.label(mask_noise.faulty(half_plane(), np.random.default_rng(seed), PX_PER_M))[1] == 1
