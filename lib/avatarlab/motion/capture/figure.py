"""``Figure``: what calibration has to know of the body whose motion is said: joints, eyes, sole and top, at rest."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.body.layout import JOINT_NAMES
from avatarlab.motion.rotations import upright
from avatarlab.motion.skeleton import COUNT, DEVICES, Skeleton

_EYES = [JOINT_NAMES.index(f"{side}_eye_smplhf") for side in ("left", "right")]


@dataclass(frozen=True)
class Figure:
    """A body at rest: joints ``rest`` (22, 3), ``eyes`` (3,) between both, heights of ``sole`` and ``top``; m, y up."""

    rest: Tensor
    eyes: Tensor
    sole: float
    top: float

    @classmethod
    def of(cls, body: Body, betas=None) -> "Figure":
        """The figure of ``body`` with shape ``betas`` (B,), the mean shape if None."""
        with torch.no_grad():
            posed = body(betas=betas)
        joints, heights = posed.joints.double(), posed.vertices[: body.skin_count, 1]
        return cls(joints[:COUNT], joints[_EYES].mean(0), float(heights.min()), float(heights.max()))

    @property
    def stature(self) -> float:
        """From sole to top, m."""
        return self.top - self.sole

    @property
    def skeleton(self) -> Skeleton:
        """Its joints for forward kinematics."""
        return Skeleton(self.rest.float())

    def standing(self) -> Tensor:
        """The joints (22, 3) of its T-pose in the z-up world: soles on the floor, facing -y, its rest x and y kept."""
        return self._stood(self.rest)

    def seen(self) -> tuple[Tensor, Tensor]:
        """In that T-pose the joints (3, 3) that devices stand for, and the point (3,) between the eyes."""
        return self.standing()[list(DEVICES)], self._stood(self.eyes)

    def _stood(self, points: Tensor) -> Tensor:
        low = points - points.new_tensor((0.0, self.sole, 0.0))
        return low @ upright(points).mT
