"""A person of capsules: 33 points (x, y) px and the mask they fill, arms at any angle."""

import cv2
import numpy as np

SHAPE = (620, 480)


def stick(arm_deg=45.0, closed_legs=False, hands_on_hips=False):
    """Return points (33, 2) px and mask bool of a front view; left is at the picture's right; arms hang at 0 deg."""
    points = np.zeros((33, 2))
    for side, sign in ((0, 1.0), (1, -1.0)):
        _arm(points, side, sign, np.radians(arm_deg), hands_on_hips)
        foot = 12.0 if closed_legs else 45.0
        for number, xy in zip((23, 25, 27, 29, 31), _leg(sign, foot), strict=True):
            points[number + side] = xy
        points[[7 + side, 9 + side]] = [(240 + sign * 22, 80), (240 + sign * 8, 100)]
        points[[1 + 3 * side, 2 + 3 * side, 3 + 3 * side]] = (240 + sign * 10, 75)
    points[0] = (240, 85)
    return points, _filled(points, 56 if closed_legs else 44)


def _arm(points, side, sign, angle, akimbo):
    """Place shoulder, elbow, wrist and fingers."""
    along = np.array([sign * np.sin(angle), np.cos(angle)])
    shoulder = np.array([240 + sign * 50, 150.0])
    elbow = shoulder + 75 * along
    wrist = np.array([240 + sign * 52, 285.0]) if akimbo else elbow + 65 * along
    on = (np.array([240 + sign * 46, 292.0]) - wrist) if akimbo else 20 * along
    points[[11 + side, 13 + side, 15 + side]] = shoulder, elbow, wrist
    points[[17 + side, 19 + side, 21 + side]] = wrist + on


def _leg(sign, foot):
    """Return hip, knee, ankle, heel, toe."""
    return [
        (240 + sign * 28, 290), (240 + sign * (14 + foot / 2), 400), (240 + sign * foot, 520),
        (240 + sign * foot, 535), (240 + sign * (foot + 8), 545),
    ]  # fmt: skip


def _filled(points, leg_px):
    """Draw trunk, head, neck and limbs."""
    mask = np.zeros(SHAPE, np.uint8)
    trunk = [(190, 150), (200, 135), (280, 135), (290, 150), (284, 220), (294, 310), (186, 310), (196, 220)]
    cv2.fillPoly(mask, [np.array(trunk)], 1)
    cv2.ellipse(mask, (240, 80), (28, 38), 0, 0, 360, 1, -1)
    cv2.line(mask, (240, 100), (240, 145), 1, 30)
    for side in (0, 1):
        for line, width in (((11, 13, 15, 19), 26), ((23, 25, 27, 29, 31), leg_px)):
            bones = np.rint(points[[number + side for number in line]]).astype(np.int32)
            cv2.polylines(mask, [bones], False, 1, width)
    return mask > 0
