"""Row widths: how wide trunk and legs are in the picture, level by level, on the photo's part map and on the body's."""

from dataclasses import dataclass

import numpy as np
import torch

from avatarlab.fit.estimator.contours import Drawing, Drawn
from avatarlab.fit.estimator.residuals import NormalEquations
from avatarlab.fit.estimator.state import Image
from avatarlab.fit.estimator.target import Target
from avatarlab.photo.observation import PART_NAMES

ARMS = tuple(PART_NAMES.index(name) for name in ("left_arm", "right_arm"))
TOUCH_PX = 3
TRUNK_ROWS, LEG_ROWS = 24, 8
TRUNK_BAND = (0.28, 0.97)
LEG_BAND = (0.10, 0.85)
"""Share of the part's height that is used: sleeves blur the trunk's top, shoes the legs' end."""
SIGMA_M = 0.010
COUNTED = {"trunk": ("head", "trunk", "left_leg", "right_leg"), "left_leg": ("trunk", "left_leg"),
           "right_leg": ("trunk", "right_leg")}  # fmt: skip
"""Parts whose pixels count into a part's rows: photo and body draw the line between trunk and thigh differently."""

_COUNTS = {part: np.isin(np.arange(len(PART_NAMES)), [PART_NAMES.index(name) for name in names])
           for part, names in COUNTED.items()}  # fmt: skip
_IS_ARM = np.isin(np.arange(len(PART_NAMES)), ARMS)
"""The same as tables by part number."""

BANDS = {"trunk": (TRUNK_BAND, TRUNK_ROWS), "left_leg": (LEG_BAND, LEG_ROWS), "right_leg": (LEG_BAND, LEG_ROWS)}


@dataclass(frozen=True, eq=False)
class Widths:
    """Rows (N,) of parts (N,): left and right end px (N, 2), NaN where the part is not in that row."""

    part: np.ndarray
    row: np.ndarray
    ends: np.ndarray

    @property
    def width(self) -> np.ndarray:
        """Widths (N,) px."""
        return self.ends[:, 1] - self.ends[:, 0]


def levels(aim: Target) -> tuple[np.ndarray, np.ndarray]:
    """Part numbers and picture rows at which the photo's parts are compared; cut-off ends are left out."""
    parts, rows = [], []
    for name, (band, count) in BANDS.items():
        number = PART_NAMES.index(name)
        if aim.side and name != "trunk":
            continue
        there = np.nonzero((aim.parts == number).any(1))[0]
        if len(there) < 2 * count:
            continue
        top, bottom = there[0], there[-1]
        at = np.linspace(*(top + (bottom - top) * np.array(band)), count).round().astype(int)
        parts, rows = parts + [number] * count, rows + at.tolist()
    return np.array(parts, int), np.array(rows, int)


def widths(labels: np.ndarray, part: np.ndarray, row: np.ndarray) -> Widths:
    """The parts' extent in their rows on a label map (H, W): the trunk from end to end, of a leg the longest run.

    A row in which an arm touches the end has no width: there the part map was cut, not the picture.
    """
    ends = [_ends(labels[r], PART_NAMES[p]) for p, r in zip(part.tolist(), row, strict=True)]
    return Widths(part, row, np.array(ends, float).reshape(-1, 2))


def _ends(line: np.ndarray, part: str) -> tuple[float, float]:
    """Start and end (px) of a part, with what counts as it, in a row of labels; NaN if absent, cut off or covered."""
    counted = _COUNTS[part][line]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], counted.astype(np.int8), [0]])))
    if not len(edges):
        return np.nan, np.nan
    starts, stops = edges[::2], edges[1::2]
    best = (stops - starts).argmax()
    start, stop = (starts[0], stops[-1]) if part == "trunk" else (starts[best], stops[best])
    around = line[max(start - TOUCH_PX, 0) : start], line[stop : stop + TOUCH_PX]
    if start == 0 or stop == len(line) or any(_IS_ARM[side].any() for side in around):
        return np.nan, np.nan
    return float(start), float(stop)


@dataclass(frozen=True, eq=False)
class RowPairs:
    """Rows seen on both: body vertices (2, N) at the left and right ends, difference of widths (N,) px, ours - theirs."""

    vertices: torch.Tensor
    off: torch.Tensor


def compare(drawing: Drawing, drawn: Drawn, aim: Target, seen: Widths) -> RowPairs:
    """The photo's widths against the body's, drawn without arms, in the same rows."""
    ours = widths(drawn.labels, seen.part, seen.row)
    both = np.isfinite(ours.width) & np.isfinite(seen.width)
    left = ours.ends[both, 0].astype(int)
    right = ours.ends[both, 1].astype(int) - 1
    faces = np.stack([drawn.faces[seen.row[both], left], drawn.faces[seen.row[both], right]])
    vertices = drawing.all_faces[torch.as_tensor(faces).long()][..., 0]
    return RowPairs(vertices, torch.as_tensor(ours.width[both] - seen.width[both], dtype=torch.float64))


def add(normal: NormalEquations, view: int, image: Image, pairs: RowPairs, scale_sigma: float = 1.0) -> None:
    """Row widths as residuals; image: the 2N points of ``pairs.vertices`` in order."""
    count = len(pairs.off)
    sigma = SIGMA_M * scale_sigma * image.scale[:count]
    slopes = (image.slopes[count:, 0] - image.slopes[:count, 0]) / sigma[:, None]
    off = pairs.off / sigma
    weight = (16 / (16 + off.square())).square()
    normal.add(off, slopes, weight, normal.spans(view))
