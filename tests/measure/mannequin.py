"""A body of closed elliptic tubes with the labels of a real one: every tape on it has a closed-form length."""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import torch

from avatarlab.body.layout import JOINT, PARTS

AROUND = 96
ARM_DOWN = math.radians(75)


@dataclass
class Tube:
    """Elliptic tube: ring k at ``centres`` (R, 3), half axes ``radii`` (R, 2) along ``across`` (2, 3), part per
    ring."""

    centres: np.ndarray
    radii: np.ndarray
    parts: list[str]
    across: np.ndarray = field(default_factory=lambda: np.array([[1.0, 0, 0], [0, 0, 1.0]]))

    def mesh(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        angle = np.arange(AROUND) * 2 * math.pi / AROUND
        circle = np.stack([np.cos(angle), np.sin(angle)], -1)
        rings = self.centres[:, None] + (circle * self.radii[:, None]) @ self.across
        count = len(self.centres)
        points = np.concatenate([rings.reshape(-1, 3), self.centres[[0, -1]]])
        labels = [part for part in self.parts for _ in range(AROUND)] + [self.parts[0], self.parts[-1]]
        k = np.arange(AROUND)
        after = (k + 1) % AROUND
        low, high = count * AROUND, count * AROUND + 1
        faces = [np.stack([np.full(AROUND, low), k, after], 1)]
        for r in range(count - 1):
            a, b = r * AROUND, (r + 1) * AROUND
            faces += [np.stack([a + k, b + k, a + after], 1), np.stack([a + after, b + k, b + after], 1)]
        last = (count - 1) * AROUND
        faces.append(np.stack([np.full(AROUND, high), last + after, last + k], 1))
        return points, outward(points, np.concatenate(faces)), labels


def outward(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Turn all faces of a closed surface outward (positive volume)."""
    one, two, three = (points[faces[:, k]] for k in range(3))
    return faces if (one * np.cross(two, three)).sum() > 0 else faces[:, ::-1]


def upright(x: float, z: float, heights: np.ndarray, radii: np.ndarray, parts: list[str]) -> Tube:
    return Tube(np.stack([np.full(len(heights), x), heights, np.full(len(heights), z)], 1), radii, parts)


def labelled(heights: np.ndarray, *limits: tuple[float, str]) -> list[str]:
    """Name the part of each height: the last (lower limit, name) that it reaches."""
    return [[name for low, name in limits if y >= low - 1e-9][-1] for y in heights]


def bump(y: np.ndarray, at: float, width: float) -> np.ndarray:
    return np.exp(-(((y - at) / width) ** 2))


def trunk_radii(y: np.ndarray) -> np.ndarray:
    return np.stack([0.15 + 0.02 * bump(y, 0.92, 0.1), 0.10 + 0.03 * bump(y, 0.92, 0.1)], 1)


def leg_radius(y: np.ndarray) -> np.ndarray:
    return 0.04 + 0.02 * bump(y, 0.36, 0.1) + 0.045 * bump(y, 0.85, 0.25) - 0.005 * bump(y, 0.14, 0.04)


def arm_radius(s: np.ndarray) -> np.ndarray:
    return 0.03 + 0.02 * bump(s, 0.17, 0.08) + 0.015 * bump(s, 0.36, 0.06)


def tubes() -> dict[str, Tube]:
    made = {}
    y = np.linspace(0.80, 1.46, 67)
    made["trunk"] = upright(0, 0, y, trunk_radii(y), ["trunk"] * len(y))
    y = np.linspace(1.44, 1.75, 63)
    radii = np.where(y[:, None] < 1.55, [[0.06, 0.06]], [[0.075, 0.095]]) - 0.0005 * (y[:, None] - 1.65)
    made["head"] = upright(0, 0, y, radii, labelled(y, (0, "trunk"), (1.47, "neck"), (1.54, "head")))
    for side, sign in (("l", 1), ("r", -1)):
        y = np.concatenate([np.linspace(0.0, 0.07, 4), np.linspace(0.08, 0.88, 81)])
        parts = labelled(y, (0, f"{side}_foot"), (0.08, f"{side}_calf"), (0.48, f"{side}_thigh"), (0.86, "trunk"))
        made[f"{side}_leg"] = upright(sign * 0.12, 0, y, np.repeat(leg_radius(y)[:, None], 2, 1), parts)
        s = np.linspace(0, 0.7, 71)
        down = np.array([sign * math.cos(ARM_DOWN), -math.sin(ARM_DOWN), 0])
        across = np.array([[sign * math.sin(ARM_DOWN), math.cos(ARM_DOWN), 0], [0, 0, 1.0]])
        names = ("trunk", f"{side}_upper_arm", f"{side}_forearm", f"{side}_hand")
        parts = labelled(s, *zip((0, 0.02, 0.3, 0.55), names, strict=True))
        centres = np.array([sign * 0.2, 1.42, 0]) + s[:, None] * down
        made[f"{side}_arm"] = Tube(centres, np.repeat(arm_radius(s)[:, None], 2, 1), parts, across)
    return made


POINTS = {
    "HEAD_TOP": (0, 1.75, 0),
    "HEAD_LEFT_TEMPLE": (0.075, 1.65, 0),
    "NECK_ADAM_APPLE": (0, 1.50, 0.06),
    "LEFT_NIPPLE": (0.08, 1.28, 0.1),
    "RIGHT_NIPPLE": (-0.08, 1.28, 0.1),
    "SHOULDER_TOP": (0.1, 1.46, 0),
    "LEFT_SHOULDER": (0.2, 1.42, 0.03),
    "RIGHT_SHOULDER": (-0.2, 1.42, 0.03),
    "INSEAM_POINT": (0, 0.80, 0.1),
    "CROTCH": (0, 0.80, 0),
    "BELLY_BUTTON": (0, 1.05, 0.1),
    "BACK_BELLY_BUTTON": (0, 1.05, -0.1),
    "PUBIC_BONE": (0, 0.90, 0.12),
    "LEFT_HEEL": (0.12, 0, -0.04),
    "RIGHT_HEEL": (-0.12, 0, -0.04),
    "LOW_LEFT_HIP": (0.2, 0.80, 0),
    "LEFT_THIGH": (0.2, 0.75, 0),
    "LEFT_CALF": (0.18, 0.36, 0),
    "LEFT_ANKLE": (0.155, 0.14, 0),
}
ALONG_ARM = {"RIGHT_BICEP": 0.17, "RIGHT_FOREARM": 0.36, "RIGHT_WRIST": 0.53}
JOINTS = {
    "neck": (0, 1.47, 0),
    "head": (0, 1.54, 0),
    "pelvis": (0, 0.9, 0),
    "spine1": (0, 1.0, 0),
    "spine3": (0, 1.2, 0),
}


@dataclass(eq=False)
class Mannequin:
    """What measure/ needs of a Body; betas stretch it: vertices = (1 + 0.1 betas[0]) template, feet on the
    floor."""

    template: torch.Tensor
    faces: torch.Tensor
    part: torch.Tensor
    landmarks: dict[str, int]
    joint_regressor: torch.Tensor
    skin_count: int
    parts: tuple[str, ...] = PARTS

    def __call__(self, betas=None, pose=None):
        scale = 1.0 if betas is None else 1 + 0.1 * betas[..., :1, None]
        return SimpleNamespace(vertices=(self.template * scale).reshape(*self.template.shape))


def mannequin() -> Mannequin:
    points, faces, labels, start = [], [], [], 0
    for tube in tubes().values():
        p, f, names = tube.mesh()
        points.append(p)
        faces.append(f + start)
        labels += names
        start += len(p)
    skin = np.concatenate(points)
    down = np.array([-math.cos(ARM_DOWN), -math.sin(ARM_DOWN), 0])
    where = {name: (-0.2, 1.42, 0) + s * down for name, s in ALONG_ARM.items()} | POINTS
    landmarks = {name: int(((skin - np.array(at)) ** 2).sum(1).argmin()) for name, at in where.items()}
    markers = np.zeros((55, 3))
    arm = {"right_shoulder": 0.0, "right_elbow": 0.3, "right_wrist": 0.55}
    for name, at in (JOINTS | {name: (-0.2, 1.42, 0) + s * down for name, s in arm.items()}).items():
        markers[JOINT[name]] = at
    regressor = torch.zeros(55, start + 55)
    regressor[torch.arange(55), start + torch.arange(55)] = 1.0
    part = torch.tensor([PARTS.index(name) for name in labels] + [PARTS.index("trunk")] * 55)
    template = torch.tensor(np.concatenate([skin, markers])).float()
    return Mannequin(
        template, torch.tensor(np.concatenate(faces)).long(), part, landmarks, regressor, skin_count=start
    )


def ellipse(a: float, b: float) -> float:
    """Circumference of an ellipse with half axes a, b (Ramanujan's second formula)."""
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
