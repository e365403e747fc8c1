"""The mask's edge: the network's 256 px guess, decided anew by colour (GrabCut) where it is unsure."""

import cv2
import numpy as np
from scipy import ndimage

WORK_PX = 900
BAND = 0.009
"""Half width of the uncertain band, of the person's longer side: the network's own pixel is 1/256 of its crop."""
SLABS = 7
ROUNDS = 2
SEED = 7


def refine(rgb: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the mask bool (H, W): one component, holes filled that the network did not see as background.

    rgb uint8 (H, W, 3); confidence float (H, W) 0..1. Deterministic.
    """
    window = _window(confidence)
    rgb, inner = rgb[window], confidence[window]
    scale = min(1.0, WORK_PX / max(inner.shape))
    size = (round(inner.shape[1] * scale), round(inner.shape[0] * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    belief = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)
    mask = _solid(_cut(small, belief), belief)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    out = np.zeros(confidence.shape, bool)
    out[window] = cv2.resize(soft, inner.shape[::-1], interpolation=cv2.INTER_CUBIC) > 0.5
    return _largest(out)


def _window(confidence: np.ndarray) -> tuple[slice, slice]:
    """Return the person's box with a margin that still shows background."""
    ys, xs = np.nonzero(confidence > 0.1)
    if not len(xs):
        return slice(None), slice(None)
    margin = int(0.06 * max(np.ptp(ys), np.ptp(xs))) + 8
    return slice(max(ys.min() - margin, 0), ys.max() + margin), slice(max(xs.min() - margin, 0), xs.max() + margin)


def _cut(rgb: np.ndarray, belief: np.ndarray) -> np.ndarray:
    """Return the mask with its uncertain band decided by colour, slab by slab (shoes know nothing of the wall)."""
    trimap = _trimap(belief)
    height = len(rgb)
    step = height / SLABS
    mask = np.zeros(belief.shape, bool)
    for number in range(SLABS):
        top, end = round(number * step), round((number + 1) * step)
        low, high = max(0, int(top - step / 2)), min(height, int(end + step / 2))
        mask[top:end] = _grabcut(rgb[low:high], trimap[low:high])[top - low : end - low]
    return mask


def _trimap(belief: np.ndarray) -> np.ndarray:
    """Return GrabCut's four labels: sure only beyond the band and where the network is sure itself."""
    inside = (belief > 0.5).astype(np.uint8)
    radius = max(2.0, BAND * max(np.ptp(np.nonzero(inside), axis=1), default=0))
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    trimap = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[(depth > radius) & (belief > 0.9)] = cv2.GC_FGD
    trimap[(depth > 4 * radius)] = cv2.GC_FGD
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


def _largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest 4-connected component of a bool (H, W) mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
