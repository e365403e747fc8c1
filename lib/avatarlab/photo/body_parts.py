"""Which pixel belongs to which part: cuts at neck, armpits and crotch, then a flood from the bones.

Where a limb is apart from the trunk only the cut decides, so the trunk keeps its true outline; where limb and trunk
touch further out (hand on hip), the watershed cuts at the narrowest place of the mask.
"""

import cv2
import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from avatarlab.photo import skeleton
from avatarlab.photo.matting import window
from avatarlab.photo.observation import PART_NAMES
from avatarlab.photo.skeleton import Trunk

WORK_PX = 800
HEAD, TRUNK = PART_NAMES.index("head"), PART_NAMES.index("trunk")
ARMS = (PART_NAMES.index("left_arm"), PART_NAMES.index("right_arm"))
LEGS = (PART_NAMES.index("left_leg"), PART_NAMES.index("right_leg"))
CROTCH = 0.22
"""Crotch below the hip joints' middle, of the trunk's length (shoulders to hips); used where no gap shows it."""
CROTCH_REACH = 0.5
ARMPIT_REACH = 0.75
ARMPIT_INWARD_DEG = -25.0
"""Of an arm that hangs, the gap to the trunk begins nearer to the middle than the shoulder joint."""
HIP_HALF_BREADTH = 0.19
SIDE_ARM = 0.10
SIDE_TRUNK = 0.27
"""Side view: radius of an arm, and half depth of the trunk, of the trunk's length."""


def part_map(mask: np.ndarray, keypoints: np.ndarray, view: str) -> np.ndarray:
    """Return uint8 (H, W) of PART_NAMES numbers: mask bool (H, W), keypoints (33, >=2) px, view front or side."""
    if not mask.any():
        return np.zeros(mask.shape, np.uint8)
    frame = window(mask)
    inner = mask[frame]
    scale = min(1.0, WORK_PX / max(inner.shape))
    size = (max(1, round(inner.shape[1] * scale)), max(1, round(inner.shape[0] * scale)))
    small = cv2.resize(inner.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    points = (keypoints[:, :2].astype(float) - [frame[1].start, frame[0].start]) * scale
    labels = _spread(_side(small, points) if view == "side" else _front(small, points))
    parts = np.zeros(mask.shape, np.uint8)
    parts[frame] = cv2.resize(labels, inner.shape[::-1], interpolation=cv2.INTER_NEAREST) * inner
    return parts


def _front(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return labels of a front (or back) view."""
    trunk = skeleton.trunk(points)
    cuts = [neck_cut(mask, points, trunk), *leg_cuts(mask, points, trunk)]
    cuts += [arm_cut(mask, points, trunk, side) for side in (0, 1)]
    return _flood(mask, cuts, _markers(mask.shape, points, trunk, arms=True))


def _side(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return labels of a side view: an arm counts only where it leaves the trunk's own band."""
    trunk = skeleton.trunk(points)
    crotch = trunk.pelvis + CROTCH * trunk.length * trunk.down
    across = trunk.length * trunk.left
    cuts = [neck_cut(mask, points, trunk), np.stack([crotch - across, crotch + across])]
    labels = _flood(mask, cuts, _markers(mask.shape, points, trunk, arms=False))
    outside = mask & (
        skeleton.distance_to(mask.shape, [np.stack([trunk.neck, crotch])]) > SIDE_TRUNK * trunk.length
    )
    outside &= labels != HEAD
    away = [_past_arm(mask.shape, skeleton.arm(points, side)) for side in (0, 1)]
    near = outside & (np.minimum(*away) < SIDE_ARM * trunk.length)
    labels[near] = np.where(away[0] < away[1], *ARMS)[near]
    return labels


def _past_arm(shape: tuple[int, int], bones: np.ndarray) -> np.ndarray:
    """Return the distance (px) of every pixel to an arm's bones, halved around the hand, which is wider."""
    hand = skeleton.distance_to(shape, [bones[2:]]) / 2
    return np.minimum(skeleton.distance_to(shape, [bones]), hand)


def _markers(shape: tuple[int, int], points: np.ndarray, trunk: Trunk, arms: bool) -> np.ndarray:
    """Return int32 (H, W) seeds: outer limb bones, face and the trunk's core, which is drawn last and wins."""
    seeds = np.zeros(shape, np.uint8)
    for side in (0, 1):
        if arms:
            skeleton.draw(seeds, _from_middle(skeleton.arm(points, side)), ARMS[side], 3)
        skeleton.draw(seeds, _from_middle(skeleton.leg(points, side)), LEGS[side], 3)
    core = points[[*skeleton.SHOULDERS, *skeleton.HIPS[::-1]]]
    core = core.mean(0) + 0.7 * (core - core.mean(0))
    cv2.fillPoly(seeds, [np.rint(core).astype(np.int32)], TRUNK)
    skeleton.draw(seeds, np.stack([trunk.neck + 0.1 * trunk.length * trunk.down, trunk.pelvis]), TRUNK, 3)
    cv2.fillPoly(seeds, [cv2.convexHull(np.rint(points[:9]).astype(np.int32))], HEAD)
    return seeds.astype(np.int32)


def _from_middle(bones: np.ndarray) -> np.ndarray:
    """Return a limb's polyline without the first 45 % of its first bone, which may lie within the trunk."""
    return np.concatenate([[bones[0] + 0.45 * (bones[1] - bones[0])], bones[1:]])


def _flood(mask: np.ndarray, cuts: list, seeds: np.ndarray) -> np.ndarray:
    """Return uint8 labels: watershed over depth within the mask; 4-connected, so a 1 px cut line holds."""
    wall = np.zeros(mask.shape, np.uint8)
    for cut in cuts:
        if cut is not None:
            skeleton.draw(wall, cut, 1)
    open_mask = mask & (wall == 0)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    labels = watershed(-depth, np.where(open_mask, seeds, 0), mask=open_mask)
    return _spread(labels.astype(np.uint8)) * mask


def _spread(labels: np.ndarray) -> np.ndarray:
    """Give every unlabelled pixel (cut lines, islands, background) the nearest label."""
    if not labels.any():
        return labels
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def outside_point(mask: np.ndarray, origin: np.ndarray, axes: tuple, span_deg: tuple, reach: float):
    """Return the background point (2,) px nearest to ``origin`` within a wedge, or None.

    Angles run from axes[0] (0 deg) towards axes[1] (90 deg); ``reach`` px bounds the search; outside the array is
    background.
    """
    r = int(np.ceil(reach))
    x0, y0 = np.rint(origin).astype(int) - r
    framed = np.zeros((2 * r + 1, 2 * r + 1), bool)
    top, left = max(-y0, 0), max(-x0, 0)
    inner = mask[max(y0, 0) : max(y0 + 2 * r + 1, 0), max(x0, 0) : max(x0 + 2 * r + 1, 0)]
    framed[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    spans = np.arange(2 * r + 1) + np.array([[x0], [y0]]) - origin[:, None]
    squared = spans[0] ** 2 + spans[1][:, None] ** 2
    rows, columns = np.nonzero(~framed & (squared <= reach**2))
    away = np.stack([spans[0][columns], spans[1][rows]], -1)
    low, high = span_deg
    angle = np.degrees(np.arctan2(away @ axes[1], away @ axes[0])) % 360
    good = np.flatnonzero((angle - low) % 360 <= high - low)
    if not len(good):
        return None
    best = good[np.argmin(squared[rows[good], columns[good]])]
    return np.array([x0 + columns[best], y0 + rows[best]], float)


def arm_angle(points: np.ndarray, trunk: Trunk, side: int) -> float:
    """Return degrees of the upper arm from hanging (0) over sideways (90) to overhead (180), -60 to 300."""
    bone = points[skeleton.ELBOWS[side]] - points[skeleton.SHOULDERS[side]]
    angle = np.degrees(np.arctan2(bone @ trunk.lateral(side), bone @ trunk.down))
    return float((angle + 60) % 360 - 60)


def arm_gap(mask: np.ndarray, points: np.ndarray, trunk: Trunk, side: int) -> np.ndarray | None:
    """Return the armpit (2,) px: top of the background between upper arm and trunk; None where there is none."""
    angle = arm_angle(points, trunk, side)
    if angle < 8:
        return None
    shoulder, axes = points[skeleton.SHOULDERS[side]], (trunk.down, trunk.lateral(side))
    return outside_point(mask, shoulder, axes, (ARMPIT_INWARD_DEG, 0.85 * angle), ARMPIT_REACH * trunk.length)


def arm_cut(mask: np.ndarray, points: np.ndarray, trunk: Trunk, side: int) -> np.ndarray:
    """Return the polyline armpit - shoulder joint - top of the shoulder; without a gap it runs down the flank."""
    shoulder, lateral = points[skeleton.SHOULDERS[side]], trunk.lateral(side)
    angle = max(arm_angle(points, trunk, side), 0.0)
    span = (angle + 10, max(200.0, angle + 60))
    top = outside_point(mask, shoulder, (trunk.down, lateral), span, 0.6 * trunk.length)
    armpit = arm_gap(mask, points, trunk, side)
    below = [armpit] if armpit is not None else _flank(points, trunk, side)
    return np.stack([*below[::-1], shoulder, *([top] if top is not None else [])])


def _flank(points: np.ndarray, trunk: Trunk, side: int) -> list[np.ndarray]:
    """Return where the trunk's side must be behind an arm pressed against it: at the hip, and below the hand."""
    hip = points[skeleton.HIPS[side]] + HIP_HALF_BREADTH * trunk.length * trunk.lateral(side)
    return [hip, hip + 0.5 * trunk.length * trunk.down]


def crotch(mask: np.ndarray, points: np.ndarray, trunk: Trunk) -> tuple[np.ndarray, bool]:
    """Return (crotch px, whether the legs are closed, so that the crotch is by proportion only)."""
    bones = [points[skeleton.KNEES[side]] - points[skeleton.HIPS[side]] for side in (0, 1)]
    left, right = (np.degrees(np.arctan2(bone @ trunk.left, bone @ trunk.down)) for bone in bones)
    span = (min(right, left, -5) * 0.85, max(left, right, 5) * 0.85)
    gap = outside_point(mask, trunk.pelvis, (trunk.down, trunk.left), span, CROTCH_REACH * trunk.length)
    if gap is not None:
        return gap, False
    return trunk.pelvis + CROTCH * trunk.length * trunk.down, True


def leg_cuts(mask: np.ndarray, points: np.ndarray, trunk: Trunk) -> list[np.ndarray]:
    """Return polylines crotch - thigh - outer contour for both legs, and the line between closed legs."""
    middle, closed = crotch(mask, points, trunk)
    between = [points[list(pair)].mean(0) for pair in (skeleton.KNEES, skeleton.ANKLES)]
    cuts = [np.stack([middle, *between])] if closed else []
    for side in (0, 1):
        inner = _thigh_at(points, trunk, middle, side)
        span = (30, 150)
        outer = outside_point(mask, inner, (trunk.down, trunk.lateral(side)), span, 0.7 * trunk.length)
        cuts.append(np.stack([middle, inner, *([outer] if outer is not None else [])]))
    return cuts


def _thigh_at(points: np.ndarray, trunk: Trunk, level: np.ndarray, side: int) -> np.ndarray:
    """Return the thigh bone's point at the level of the crotch; a raised thigh is cut near the hip."""
    hip, knee = points[skeleton.HIPS[side]], points[skeleton.KNEES[side]]
    fall = (knee - hip) @ trunk.down
    share = (level - hip) @ trunk.down / fall if fall > 0 else 1.0
    return hip + np.clip(share, 0.0, 0.3) * (knee - hip)


def neck_cut(mask: np.ndarray, points: np.ndarray, trunk: Trunk) -> np.ndarray | None:
    """Return the line across the neck's narrowest place between mouth and shoulders."""
    mouth = points[list(skeleton.MOUTH)].mean(0)
    up = (mouth - trunk.neck) / max(np.linalg.norm(mouth - trunk.neck), 1.0)
    across = np.array([up[1], -up[0]])
    best = None
    for share in np.linspace(0.3, 0.85, 12):
        here = trunk.neck + share * (mouth - trunk.neck)
        ends = [outside_point(mask, here, (d, up), (-50, 50), 0.6 * trunk.length) for d in (across, -across)]
        if ends[0] is None or ends[1] is None:
            continue
        width = np.linalg.norm(ends[0] - ends[1])
        if best is None or width < best[0]:
            best = (width, np.stack([ends[0], here, ends[1]]))
    return best[1] if best else None
