"""The 22 joints that motion is about: names, parts, rest positions of a body, forward kinematics."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.body.layout import JOINT_NAMES, PARENTS
from avatarlab.core.shapes import expect

COUNT = 22
NAMES, PARENT = JOINT_NAMES[:COUNT], PARENTS[:COUNT]
JOINT = {name: number for number, name in enumerate(NAMES)}
HEAD, LEFT_WRIST, RIGHT_WRIST = JOINT["head"], JOINT["left_wrist"], JOINT["right_wrist"]
DEVICES = (HEAD, LEFT_WRIST, RIGHT_WRIST)
"""The joints that headset, left and right controller stand for, in this order everywhere."""
UPPER = (0, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)
LOWER = (0, 1, 2, 4, 5, 7, 8, 10, 11)
"""The two parts of the body; the root is in both. Source: SAGE (CVPR 2024)."""
MIRRORED = tuple(JOINT[n.replace("left", "right") if "left" in n else n.replace("right", "left")] for n in NAMES)
"""The joint on the other side, of each joint; a joint of the middle is its own."""


@dataclass(frozen=True)
class Skeleton:
    """A body's 22 joints at rest (22, 3) in metres: T-pose, y up, facing +z, left = +x."""

    rest: Tensor

    @classmethod
    def of(cls, body: Body, betas=None) -> "Skeleton":
        """The joints of ``body`` with shape ``betas`` (B,), the mean shape if None."""
        with torch.no_grad():
            return cls(body.joints_only(betas=betas)[:COUNT].clone())

    @property
    def offsets(self) -> Tensor:
        """From each joint's parent to the joint (22, 3) at rest, m; the root's own is zero."""
        parent = torch.tensor((0, *PARENT[1:]), device=self.rest.device)
        return self.rest - self.rest[parent]

    def to(self, device) -> "Skeleton":
        """The same on another device."""
        return Skeleton(self.rest.to(device))

    def fk(self, rotations: Tensor, trans: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Local rotations (..., 22, 3, 3) and trans (..., 3) m -> world rotations (..., 22, 3, 3), positions (..., 22, 3).

        As in SMPL the pelvis is at its rest place plus ``trans``, whatever the root's rotation.
        """
        expect("rotations", rotations, (..., COUNT, 3, 3))
        offsets = self.offsets.to(rotations)
        world, positions = (
            [rotations[..., 0, :, :]],
            [self.rest[0].to(rotations).expand(rotations.shape[:-3] + (3,))],
        )
        for joint in range(1, COUNT):
            above = PARENT[joint]
            world.append(world[above] @ rotations[..., joint, :, :])
            positions.append(positions[above] + world[above] @ offsets[joint])
        placed = torch.stack(positions, -2)
        return torch.stack(world, -3), placed if trans is None else placed + trans[..., None, :]


def mirror(rotations: Tensor, positions: Tensor | None = None):
    """Rotations (..., J, 3, 3), local or of the world, and positions (..., J, 3), J = 22 or 3 devices, left for right.

    The world is reflected in its yz plane, the body in its middle. Returns rotations, or both where both are given.
    """
    joints = rotations.shape[-3]
    other = list(MIRRORED) if joints == COUNT else [0, 2, 1]
    flip = rotations.new_tensor((-1.0, 1.0, 1.0))
    turned = (rotations * flip[:, None] * flip)[..., other, :, :]
    return turned if positions is None else (turned, (positions * flip)[..., other, :])


def align_heads(skeleton: Skeleton, rotations: Tensor, head: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Local rotations (..., 22, 3, 3), tracked head positions (..., 3) m -> trans (..., 3), world rotations, positions.

    The translation is what brings the head of the pose onto the tracked head. Source: SAGE's evaluation.
    """
    world, positions = skeleton.fk(rotations)
    trans = head - positions[..., HEAD, :]
    return trans, world, positions + trans[..., None, :]
