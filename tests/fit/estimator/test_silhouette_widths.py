"""Row widths on drawn shapes, and the outline of a disc."""

import numpy as np

from avatarlab.fit.estimator import contours, silhouette_widths
from avatarlab.fit.estimator.contours import overlap
from avatarlab.fit.estimator.target import outline
from avatarlab.photo.observation import PART_NAMES

TRUNK, LEFT_ARM, LEFT_LEG = (PART_NAMES.index(name) for name in ("trunk", "left_arm", "left_leg"))


def row(*runs, size=20):
    """A label map of one row with runs (start, stop, label)."""
    labels = np.zeros((1, size), np.uint8)
    for start, stop, label in runs:
        labels[0, start:stop] = label
    return labels


def width(labels, part):
    return silhouette_widths.widths(labels, np.array([part]), np.array([0])).width[0]


def test_the_trunk_reaches_from_end_to_end_and_a_leg_is_its_longest_run():
    assert width(row((3, 5, TRUNK), (8, 15, TRUNK)), TRUNK) == 12
    assert width(row((3, 5, LEFT_LEG), (8, 15, LEFT_LEG)), LEFT_LEG) == 7
    assert width(row((3, 9, TRUNK), (9, 15, LEFT_LEG)), TRUNK) == 12
    assert np.isnan(width(row(), TRUNK))


def test_where_an_arm_touches_there_is_no_width():
    assert np.isnan(width(row((3, 9, TRUNK), (9, 12, LEFT_ARM)), TRUNK))
    assert width(row((3, 9, TRUNK), (14, 17, LEFT_ARM)), TRUNK) == 6


def test_what_leaves_the_picture_has_no_width():
    labels = np.zeros((2, 10), np.uint8)
    labels[0, :4] = labels[1, 6:] = 2
    assert np.isnan(silhouette_widths.widths(labels, np.array([2, 2]), np.array([0, 1])).width).all()


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


def test_the_capture_decides_how_far_an_outline_is_believed():
    close, far = (
        [contours.sigma(rms_m, name) for name in ("studio", "everyday", "photo")] for rms_m in (0.004, 1.0)
    )
    assert close == sorted(close) and close[0] < close[1] < close[2]
    assert far == [high for _, high in contours.SIGMA_M.values()]
    assert contours.sigma(0.010, "studio") == 0.006
