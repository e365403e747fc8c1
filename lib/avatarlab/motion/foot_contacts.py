"""Feet that stand where they stepped: causal clean-up of contacts by leg IK; pelvis, trunk and head never move.

Each foot carries a correction of what the model says, a shift of its ankle and a turn. While the foot stands, the
correction is whatever keeps it where it was in the last frame; while it does not, the correction fades. So nothing
jumps, neither where a foot lands nor where it leaves. A standing foot still gives way slowly towards what the model
says, and never strays far from it: the model knows more about where a foot is than about how still it stands.
"""

from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from avatarlab.motion.kinematics import CONTACT_HEIGHT_M, CONTACT_SPEED_M_S, FEET, stands
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import Skeleton
from avatarlab.motion.trackers import RATE
from avatarlab.motion.two_bone_ik import LEGS, legs, reach

_POINTS = [*FEET, *LEGS.root]


@dataclass(frozen=True)
class ContactSettings:
    """How feet are cleaned up.

    A joint stands once its probability is above ``on`` until it is below ``off``. Without probabilities it stands
    once it is slower than ``slow_m_s`` (and, an ankle or a toe, lower than ``low_m``) until faster than ``fast_m_s``
    (or higher). A released correction fades to 1/e in ``fade_s`` seconds; a standing one gives way to 1/e in
    ``yield_s`` and is ``apart_m`` and ``apart_rad`` at most. No joint of a foot is lower than ``floor_m``.
    """

    on: float = 0.6
    off: float = 0.4
    slow_m_s: float = CONTACT_SPEED_M_S
    fast_m_s: float = 0.5
    low_m: tuple[float, float] = CONTACT_HEIGHT_M[::2]
    fade_s: float = 0.2
    yield_s: float = 0.8
    apart_m: float = 0.15
    apart_rad: float = 0.35
    floor_m: float = 0.0


class FootContacts:
    """The feet of one recording; holds where they stand."""

    def __init__(self, skeleton: Skeleton, manner: ContactSettings | None = None):
        self.skeleton, self.manner = skeleton, manner or ContactSettings()
        self.standing = torch.zeros(4, dtype=torch.bool)
        self.said = None
        self._reach, self._low = (
            reach(skeleton, LEGS)[:, None],
            torch.tensor(self.manner.low_m).repeat_interleave(2),
        )

    def push(self, motion: Motion, contact: Tensor | None = None, posed: tuple | None = None) -> Motion:
        """The next frame's pose (T = 1) and its probabilities (4,) of FEET standing -> the pose cleaned up.

        ``posed``: its world rotations (1, 22, 3, 3) and positions where they are known already.
        """
        return self.clip(motion, None if contact is None else contact[None], posed)

    def clip(self, motion: Motion, contact: Tensor | None = None, posed: tuple | None = None) -> Motion:
        """The next T frames at once, ``contact`` (T, 4); the same as ``push`` frame by frame."""
        world, positions = self.skeleton.fk(*motion) if posed is None else posed
        points, rotations = positions[:, _POINTS], world[:, list(LEGS.end)]
        said = [None] * len(points) if contact is None else contact
        done = [self._step(*frame) for frame in zip(points, rotations, said, strict=True)]
        at, turn = (torch.stack(part) for part in zip(*done, strict=True))
        return Motion(legs(self.skeleton, *motion, at, turn, posed=(world, positions)), motion.trans)

    def _step(self, points: Tensor, rotations: Tensor, contact: Tensor | None) -> tuple[Tensor, Tensor]:
        """Positions (6, 3) of FEET and hips, world rotations (2, 3, 3) of the feet -> ankles' positions and rotations."""
        heel, toe, hip = points.view(3, 2, 3)
        if self.said is None:
            self.said = points + torch.inf  # no speed is known yet, so nothing stands by its speed
            self.shift = self.turn = torch.zeros_like(heel)
            self.heel, self.toe, self.turned = heel, toe, rotations
        self.standing = self._stands(points[:4], contact)
        self.said = points
        self.turned, sole = self._turned(rotations, toe - heel)
        self.shift = self._shifted(heel, sole, hip)
        self.heel, self.toe = heel + self.shift, heel + self.shift + sole
        return self.heel, self.turned

    def _stands(self, points: Tensor, contact: Tensor | None) -> Tensor:
        """Which of FEET (4,) stand now."""
        manner = self.manner
        if contact is not None:
            return contact > torch.where(self.standing, manner.off, manner.on)
        speed = (points - self.said[:4]).norm(dim=-1) * RATE
        fastest = torch.where(self.standing, manner.fast_m_s, manner.slow_m_s)
        return stands(speed, fastest, points[:, 2], self._low)

    def _turned(self, rotations: Tensor, sole: Tensor) -> tuple[Tensor, Tensor]:
        """The feet's rotations (2, 3, 3), kept where heel and toe stand, and what becomes of heel to toe (2, 3)."""
        manner = self.manner
        flat = self.standing.view(2, 2).all(0)
        kept = roma.rotmat_to_rotvec(self.turned @ rotations.mT) * (1 - 1 / (manner.yield_s * RATE))
        self.turn = torch.where(flat[:, None], kept, self.turn * (1 - 1 / (manner.fade_s * RATE)))
        self.turn = _within(self.turn, manner.apart_rad)
        turn = roma.rotvec_to_rotmat(self.turn)
        return turn @ rotations, (turn @ sole[..., None])[..., 0]

    def _shifted(self, heel: Tensor, sole: Tensor, hip: Tensor) -> Tensor:
        """The ankles' shift (2, 3), m: what keeps the toe that stands, else the heel, where it was."""
        manner = self.manner
        on_heel, on_toe = self.standing.view(2, 2, 1)
        kept = torch.where(on_toe, self.toe - sole, self.heel) - heel
        kept = _within(kept * (1 - 1 / (manner.yield_s * RATE)), manner.apart_m)
        shift = torch.where(on_toe | on_heel, kept, self.shift * (1 - 1 / (manner.fade_s * RATE)))
        lowest = torch.minimum(heel[:, 2], heel[:, 2] + sole[:, 2]) + shift[:, 2]
        shift[:, 2] += (manner.floor_m - lowest).clamp(min=0)
        return hip + _within(heel + shift - hip, self._reach) - heel


def _within(vectors: Tensor, longest) -> Tensor:
    """Vectors (..., 3), the too long ones cut to ``longest``."""
    return vectors * (longest / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-9)).clamp(max=1)
