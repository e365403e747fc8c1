"""Outlines drawn together: every rim point of the drawn body finds the photo's rim, and the other way round."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.body.jacobians import Posture
from avatarlab.fit.estimator.residuals import Lines
from avatarlab.fit.estimator.state import ViewState, camera
from avatarlab.fit.estimator.target import Outline, Target, face_labels, outline
from avatarlab.render import Camera
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import to_screen

SAMPLES = 260
"""Points per direction; the outline of a standing person has about ten times as many pixels."""

CORRELATION_M = 0.05
"""Errors of a mask's edge hang together over this length: so much outline counts as one observation."""

SIGMA_M = {"studio": (0.003, 0.012), "everyday": (0.009, 0.012), "photo": (0.012, 0.020)}
"""Standard deviation of an outline while fitting, by how it was captured: read off the misfit within these bounds.

A rough edge and folds misfit little and still mislead: on people of known girth 9 mm loses least, and the ten photographs
of one man agree better the less their shirts are believed.
"""

NO_OUTLINE_M = 0.030
MISFIT_SHARE = 0.6
FIRST_SIGMA_M = 0.010
TURNED = 0.5
"""Pairs whose normals' cosine is below this are dropped."""

TRUST = {"hand": 0.10, "foot": 0.25, "head": 0.35, "jaw": 0.5, "neck": 0.5, "upper_arm": 0.6, "forearm": 0.6}
"""Share of an outline point's weight by body part: fingers, shoes, hair, collars and sleeves say little of the body."""

HAIR = 0.05
"""What the head's outline counts where the photo's is outside: hair, not skull."""
SIDE_ARM = 0.15


@dataclass(frozen=True, eq=False)
class Drawn:
    """The body as drawn in one view: camera, face numbers (H, W), mask and part labels (H, W) of the photo's kind."""

    camera: Camera
    faces: np.ndarray
    mask: np.ndarray
    labels: np.ndarray


class Drawing:
    """Draws a body into the working picture of a view, with the photo's part labels."""

    def __init__(self, body: Body):
        self.all_faces = body.faces
        self.labels = np.concatenate([face_labels(body), [0]]).astype(np.uint8)
        names = [part.split("_", 1)[-1] if part[1] == "_" else part for part in body.parts]
        self.trust = torch.tensor([TRUST.get(name, 1.0) for name in names], dtype=torch.float64)[body.part]
        arms = [name in ("upper_arm", "forearm", "hand") for name in names]
        self.arm = torch.tensor(arms)[body.part]
        self.armless = torch.nonzero(~self.arm[body.faces[:, 0]])[:, 0]
        self.armless_faces = body.faces[self.armless]
        self.head = torch.tensor([name in ("head", "jaw", "eye") for name in names])[body.part]

    def __call__(self, posture: Posture, view: ViewState, size: tuple[int, int], arms: bool = True) -> Drawn:
        """Draw, with or without the arms; size (width, height) px. Face numbers are the body's either way."""
        eye = camera(view, posture.joints[0], size)
        faces = self.faces(posture.vertices, eye, arms)
        return Drawn(eye, faces, faces >= 0, self.labels[faces])

    def faces(self, vertices: Tensor, eye: Camera, arms: bool = True) -> np.ndarray:
        """The face (H, W) that each pixel sees of vertices (V, 3) m, -1 = none; the arms' only if wanted."""
        shown = self.all_faces if arms else self.armless_faces
        found = visible_faces(to_screen(vertices, shown, eye), shown)
        return (found if arms else torch.where(found >= 0, self.armless[found.long()].to(found), found)).numpy()


@dataclass(frozen=True, eq=False)
class Pairs:
    """Body vertices (N,) and the Lines that pull them."""

    vertices: Tensor
    lines: Lines


def pairs(drawing: Drawing, drawn: Drawn, aim: Target) -> Pairs | None:
    """Match the drawn body's rim with the photo's, both ways; None where one of them is empty."""
    rim = outline(drawn.mask, drawn.labels)
    if len(rim.pixels) < 20 or len(aim.outline.pixels) < 20:
        return None
    faces = drawn.faces[tuple((rim.pixels - 0.5).astype(int).T[::-1])]
    vertices = drawing.all_faces[torch.as_tensor(faces).long()][:, 0]
    ours = _spread(len(rim.pixels))
    _, theirs = aim.outline.tree(aim.person_px).query(rim.features(aim.person_px)[ours])
    back_theirs = _spread(len(aim.outline.pixels))
    _, back_ours = rim.tree(aim.person_px).query(aim.outline.features(aim.person_px)[back_theirs])
    ours, theirs = np.concatenate([ours, back_ours]), np.concatenate([theirs, back_theirs])
    return Pairs(vertices[ours], _lines(drawing, vertices[ours], rim, aim, ours, theirs))


def misfit(drawing: Drawing, found: Pairs, scale: float) -> tuple[float, float]:
    """(mean by which the photo's outline stands outside, rms) in m at trunk and legs; ``scale`` px per m."""
    chosen = (drawing.trust[found.vertices] == 1.0) & (found.lines.weight > 0)
    if not chosen.any():
        return 0.0, NO_OUTLINE_M
    off = -found.lines.off[chosen] / scale
    return float(off.mean()), float(off.square().mean().sqrt())


def sigma(rms_m: float, capture: str) -> float:
    """The outline's standard deviation (m) that a misfit tells: less, lest a bad fit excuse itself."""
    low, high = SIGMA_M[capture]
    return min(max(MISFIT_SHARE * rms_m, low), high)


def _spread(count: int) -> np.ndarray:
    """At most SAMPLES of ``count`` numbers, evenly."""
    return np.unique(np.linspace(0, count - 1, min(SAMPLES, count)).round().astype(int))


def _lines(drawing: Drawing, vertices: Tensor, rim: Outline, aim: Target, ours, theirs) -> Lines:
    """The pairs as residuals along the photo's normals, with their trust."""
    apart = rim.pixels[ours] - aim.outline.pixels[theirs]
    normals = aim.outline.normals[theirs]
    off = (apart * normals).sum(1)
    alike = (rim.normals[ours] * normals).sum(1) > TURNED
    trust = drawing.trust[vertices].numpy() * alike
    trust[(off < 0) & drawing.head[vertices].numpy()] *= HAIR
    if aim.side:
        trust[drawing.arm[vertices].numpy()] *= SIDE_ARM
    spacing_m = (len(aim.outline.pixels) + len(rim.pixels)) / len(ours) * _metres_per_px(aim)
    weight = np.clip(spacing_m / 2 / CORRELATION_M, 0, 1) * trust * aim.trust
    numbers = (off, normals, np.linalg.norm(apart, axis=1), weight)
    return Lines(*(torch.as_tensor(x, dtype=torch.float64) for x in numbers))


def _metres_per_px(aim: Target) -> float:
    """A rough 1.7 m over the person's height; only the weights hang on it."""
    return 1.7 / aim.person_px


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    """Intersection over union of two masks (H, W)."""
    union = (one | two).sum()
    return float((one & two).sum() / union) if union else 0.0
