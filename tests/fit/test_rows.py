"""Row widths on drawn shapes, and the outline of a disc."""

import numpy as np

from avatarlab.fit import rows
from avatarlab.fit.contours import overlap
from avatarlab.fit.target import outline


def test_width_is_that_of_the_longest_run():
    labels = np.zeros((5, 20), np.uint8)
    labels[2, 3:5] = labels[2, 8:15] = 2
    found = rows.widths(labels, np.array([2, 2]), np.array([2, 3]))
    assert found.ends[0].tolist() == [8, 15] and found.width[0] == 7
    assert np.isnan(found.width[1])


def test_what_leaves_the_picture_has_no_width():
    labels = np.zeros((2, 10), np.uint8)
    labels[0, :4] = labels[1, 6:] = 2
    assert np.isnan(rows.widths(labels, np.array([2, 2]), np.array([0, 1])).width).all()


def disc(radius, size=120):
    y, x = np.mgrid[:size, :size] + 0.5
    return (x - size / 2) ** 2 + (y - size / 2) ** 2 < radius**2


def test_rim_of_a_disc_lies_on_it_and_looks_outward():
    found = outline(disc(40), disc(40).astype(np.uint8))
    away = found.pixels - 60
    distance = np.linalg.norm(away, axis=1)
    assert np.abs(distance - 40).max() < 1.3
    assert ((found.normals * away).sum(1) / distance).min() > 0.98


def test_what_the_pictures_edge_cuts_is_no_rim():
    mask = np.zeros((60, 60), bool)
    mask[30:, 20:40] = True
    found = outline(mask, mask.astype(np.uint8))
    assert found.pixels[:, 1].max() < 58 and len(found.pixels) > 50


def test_overlap_of_two_discs():
    assert abs(overlap(disc(30), disc(40)) - (30 / 40) ** 2) < 0.01
    assert overlap(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 0
