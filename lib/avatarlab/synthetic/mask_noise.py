"""What everyday masks get wrong: a rough edge, an edge that is all a little too far in or out, and holes.

Sizes are metres on the person, turned to pixels by ``px_per_m``; fast enough to be drawn anew for every training
picture. Clothes, hair and shoes are ``clothing``'s.
"""

import cv2
import numpy as np

from avatarlab.photo.matting import window

EDGE_SD_M, EDGE_LENGTH_M = 0.005, 0.05
"""Error of the edge and how far it stays alike along it: what MediaPipe's 256 px mask leaves after refinement."""
EDGE_BIAS_SD_M = 0.0015
HOLE_SHARE, HOLES, HOLE_M = 0.25, (1, 3), (0.008, 0.025)
"""Share of masks with holes, how many, and their radii: cloth of the wall's colour; larger ones a matting closes."""


def rough_edge(mask: np.ndarray, chance: np.random.Generator, px_per_m: float) -> np.ndarray:
    """Return mask bool (H, W) with its edge moved by smooth noise of EDGE_SD_M about a bias of EDGE_BIAS_SD_M."""
    frame = window(mask, least_px=int(5 * EDGE_SD_M * px_per_m) + 4)
    inner = mask[frame].astype(np.uint8)
    inside = cv2.distanceTransform(inner, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - inner, cv2.DIST_L2, 3)
    depth = np.where(inner > 0, inside - 0.5, 0.5 - outside)
    field = EDGE_SD_M * smooth_noise(inner.shape, chance, EDGE_LENGTH_M * px_per_m)
    moved = np.zeros_like(mask)
    moved[frame] = depth + px_per_m * (field + chance.normal(0, EDGE_BIAS_SD_M)) > 0
    return moved


def smooth_noise(shape: tuple[int, int], chance: np.random.Generator, length_px: float) -> np.ndarray:
    """Return float32 (H, W) noise of SD 1 that stays alike over ``length_px``."""
    coarse = [max(2, int(np.ceil(size / length_px)) + 1) for size in shape]
    grid = chance.standard_normal(coarse).astype(np.float32)
    noise = cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return noise / max(float(noise.std()), 1e-6)


def holes(mask: np.ndarray, chance: np.random.Generator, px_per_m: float) -> np.ndarray:
    """Return mask bool (H, W) with a few round holes cut somewhere inside, or, mostly, without."""
    if chance.random() > HOLE_SHARE:
        return mask
    cut = mask.astype(np.uint8)
    rows, columns = np.nonzero(mask)
    for _ in range(chance.integers(*HOLES, endpoint=True)):
        at = chance.integers(len(rows))
        axes = np.maximum(1, px_per_m * chance.uniform(*HOLE_M, 2)).astype(int)
        centre = (int(columns[at]), int(rows[at]))
        cv2.ellipse(cut, centre, axes.tolist(), float(chance.uniform(0, 180)), 0, 360, 0, -1)
    return cut > 0


def faulty(mask: np.ndarray, chance: np.random.Generator, px_per_m: float) -> np.ndarray:
    """Return mask bool (H, W) as everyday matting gives it: rough edge, holes, one component."""
    return largest(holes(rough_edge(mask, chance, px_per_m), chance, px_per_m))


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest 4-connected component of mask bool (H, W)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 2 else mask
