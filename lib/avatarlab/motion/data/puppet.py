"""A body moved by hand-made curves: pelvis, feet and a few angles say it all, legs follow by closed form."""

from dataclasses import dataclass, field

import numpy as np
import roma
import torch

from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, upright
from avatarlab.motion.skeleton import COUNT, JOINT, Skeleton
from avatarlab.motion.two_bone_ik import legs

SIDES = ("left", "right")
SIGN = {"left": 1.0, "right": -1.0}
ARM_DOWN = np.deg2rad(74.0)
"""From the T-pose to arms that hang."""


@dataclass
class Puppet:
    """T frames at 60 Hz. ``pelvis`` (T, 3) m, z up; ``yaw``, ``lean`` (T,) rad; ``balls`` (T, 2, 3) m: balls of left
    and right foot; ``feet`` (T, 2, 2) rad: their yaw and pitch, toes down; ``turns``: joint -> (T, 3) its local
    rotation vector, as at rest (x to the body's left, y up, z forward)."""

    pelvis: np.ndarray
    yaw: np.ndarray
    balls: np.ndarray
    feet: np.ndarray
    lean: np.ndarray | float = 0.0
    turns: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pelvis)

    def turn(self, joint: str, x=0.0, y=0.0, z=0.0) -> "Puppet":
        """Add rotation vectors, each component (T,) or a number of radians, to a joint; returns itself."""
        parts = np.stack([np.broadcast_to(np.asarray(part, float), len(self)) for part in (x, y, z)], 1)
        self.turns[joint] = self.turns.get(joint, 0) + parts
        return self

    def bend(self, forward=0.0, twist=0.0, side=0.0) -> "Puppet":
        """Spread a bend of the trunk (rad) over the three joints of the spine; returns itself."""
        for joint, share in (("spine1", 0.4), ("spine2", 0.3), ("spine3", 0.3)):
            self.turn(joint, share * np.asarray(forward), share * np.asarray(twist), share * np.asarray(side))
        return self

    def arm(self, side: str, forward=0.0, out=0.0, flex=0.0) -> "Puppet":
        """An arm from hanging: swung ``forward``, lifted ``out`` sideways, elbow bent by ``flex`` (rad, (T,) or number)."""
        sign, count = SIGN[side], len(self)
        down = np.broadcast_to(sign * (np.asarray(out, float) - ARM_DOWN), count)
        swing = np.broadcast_to(-np.asarray(forward, float), count)
        both = _about(0, swing) @ _about(2, down)
        self.turns[f"{side}_shoulder"] = roma.rotmat_to_rotvec(both).numpy()
        return self.turn(f"{side}_elbow", y=-sign * np.asarray(flex))

    def motion(self, skeleton: Skeleton) -> Motion:
        """What the body does: legs reach the feet, soles as said, toes flat on the floor behind a lifted heel."""
        local = torch.zeros(len(self), COUNT, 3, dtype=torch.float64)
        for joint, vectors in self.turns.items():
            local[:, JOINT[joint]] = torch.as_tensor(vectors)
        rotations = roma.rotvec_to_rotmat(local)
        yaw = torch.as_tensor(self.yaw, dtype=torch.float64)
        lean = _about(0, np.broadcast_to(np.asarray(self.lean, float), len(self)))
        rotations[:, 0] = about_vertical(yaw) @ upright(yaw) @ lean
        trans = torch.as_tensor(self.pelvis) - skeleton.rest[0].double()
        ankles, turns, toes = self._feet(skeleton)
        rotations[:, [JOINT["left_foot"], JOINT["right_foot"]]] = toes
        return Motion(legs(skeleton, rotations, trans, ankles, turns), trans)

    def _feet(self, skeleton: Skeleton) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ankles (T, 2, 3) m, world rotations (T, 2, 3, 3) of the feet, local ones of the toes."""
        yaw, pitch = torch.as_tensor(self.feet, dtype=torch.float64).unbind(-1)
        turns = about_vertical(yaw) @ upright(yaw) @ _about(0, pitch.numpy())
        arms = skeleton.offsets[[JOINT["left_foot"], JOINT["right_foot"]]].double()
        ankles = torch.as_tensor(self.balls) - (turns @ arms[..., None])[..., 0]
        return ankles, turns, _about(0, -pitch.clamp(min=0).numpy())


def _about(axis: int, angle: np.ndarray) -> torch.Tensor:
    """Angles (...) rad about x, y or z -> rotations (..., 3, 3)."""
    vector = np.zeros((*np.shape(angle), 3))
    vector[..., axis] = angle
    return roma.rotvec_to_rotmat(torch.as_tensor(vector))
