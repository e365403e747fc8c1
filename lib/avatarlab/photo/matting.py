"""The mask's edge: the network's 256 px guess, decided anew by colour (GrabCut) where it is unsure."""

import cv2
import numpy as np
from scipy import ndimage

from avatarlab.photo import skeleton

WORK_PX = 900
BAND = 0.009
"""Half width of the uncertain band, of the person's longer side: the network's own pixel is 1/256 of its crop."""
BULGE_SHARE = 0.02
SLABS = 7
ROUNDS = 2
SEED = 7


def refine(rgb: np.ndarray, confidence: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Return the mask bool (H, W): one component, holes filled that the network did not see as background.

    rgb uint8 (H, W, 3); confidence float (H, W) 0..1; keypoints (33, >=2) px. Deterministic.
    """
    frame = window(confidence > 0.1, margin=0.06, least_px=8)
    rgb, inner = rgb[frame], confidence[frame]
    scale = min(1.0, WORK_PX / max(inner.shape))
    size = (round(inner.shape[1] * scale), round(inner.shape[0] * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    belief = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)
    corner = [frame[1].start, frame[0].start]
    near = skeleton.reach(belief.shape, (keypoints[:, :2] - corner) * scale)
    mask = _solid(_cut(small, _trimap(belief, near)), belief)
    mask = _largest(mask & ~_bulges(mask, near))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    out = np.zeros(confidence.shape, bool)
    out[frame] = _largest(cv2.resize(soft, inner.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)
    return out


def window(mask: np.ndarray, margin: float = 0.0, least_px: int = 0) -> tuple[slice, slice]:
    """Return rows and columns of the box around a mask bool (H, W) that is not empty, with a margin.

    ``margin`` is a share of the longer side, ``least_px`` comes on top; the box stays within the picture.
    """
    spans = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    extra = int(margin * max(span[-1] - span[0] for span in spans)) + least_px
    return tuple(
        slice(int(max(span[0] - extra, 0)), int(min(span[-1] + 1 + extra, size)))
        for span, size in zip(spans, mask.shape, strict=True)
    )


def _cut(rgb: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """Return the mask with its uncertain band decided by colour, slab by slab (shoes know nothing of the wall)."""
    height = len(rgb)
    step = height / SLABS
    mask = np.zeros(trimap.shape, bool)
    for number in range(SLABS):
        top, end = round(number * step), round((number + 1) * step)
        low, high = max(0, int(top - step / 2)), min(height, int(end + step / 2))
        mask[top:end] = _grabcut(rgb[low:high], trimap[low:high])[top - low : end - low]
    return mask


def _trimap(belief: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return GrabCut's four labels: sure only beyond the band, where the network is sure and bones are ``near``."""
    inside = (belief > 0.5).astype(np.uint8)
    radius = max(2.0, BAND * max(np.ptp(np.nonzero(inside), axis=1), default=0))
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    trimap = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[(depth > radius) & (belief > 0.9)] = cv2.GC_FGD
    trimap[depth > 4 * radius] = cv2.GC_FGD
    trimap[~near & (inside > 0)] = cv2.GC_PR_FGD
    trimap[(away > radius) & (belief < 0.1)] = cv2.GC_BGD
    trimap[away > 3 * radius] = cv2.GC_BGD
    return trimap


def _grabcut(rgb: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """Return GrabCut's mask of one slab, or the trimap's own where a side has too few sure pixels to learn from."""
    sure = min((trimap == cv2.GC_FGD).sum(), (trimap == cv2.GC_BGD).sum())
    guess = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    if sure < 100 or guess.all():
        return guess
    cv2.setRNGSeed(SEED)
    labels = trimap.copy()
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    cv2.grabCut(bgr, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _solid(mask: np.ndarray, belief: np.ndarray) -> np.ndarray:
    """Smooth single-pixel noise, keep the main component, fill holes that the network believes to be person."""
    mask = _largest(cv2.medianBlur(mask.astype(np.uint8), 5) > 0)
    holes, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    if not count:
        return mask
    means = ndimage.mean(belief, holes, np.arange(1, count + 1))
    return mask | np.isin(holes, 1 + np.flatnonzero(means > 0.5))


def _bulges(mask: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return what sticks out beyond the bones' reach and is small: shadows at the feet, bags; never a skirt."""
    bulges, count = ndimage.label(mask & ~near)
    areas = np.bincount(bulges.ravel(), minlength=count + 1)
    areas[0] = mask.size
    return (areas < BULGE_SHARE * mask.sum())[bulges]


def _largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest 4-connected component of a bool (H, W) mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
