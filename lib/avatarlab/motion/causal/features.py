"""What the causal model sees of a frame: each device from the head's own heading in that frame, and how it moves."""

from typing import NamedTuple

import torch
from torch import Tensor

from avatarlab.core.shapes import expect
from avatarlab.motion.rotations import about_vertical, heading, to_6d
from avatarlab.motion.trackers import RATE, seen_from

HEAD_WIDTH, HAND_WIDTH = 14, 26
"""Numbers of a frame's token of the headset, of a controller."""
TURN_SCALE, LONGEST_LOSS = 0.25, 2.0
"""Angular velocities (rad/s) are multiplied by this; after so many seconds a lost device is simply lost."""


class DeviceTokens(NamedTuple):
    """Tokens of N frames: head (..., N, 14), left and right (..., N, 26); and yaw (..., N) of the frame of each."""

    head: Tensor
    left: Tensor
    right: Tensor
    yaw: Tensor


def lost_for(tracked: Tensor, before: Tensor | None = None) -> Tensor:
    """tracked (..., N, D) -> frames (..., N, D) since each device was last tracked; ``before`` (..., D): at the start."""
    count = torch.zeros_like(tracked[..., 0, :], dtype=torch.float32) if before is None else before
    counts = []
    for frame in tracked.unbind(-2):
        count = torch.where(frame, torch.zeros_like(count), count + 1)
        counts.append(count)
    return torch.stack(counts, -2)


def device_tokens(now: tuple, before: tuple, lost: Tensor, was_lost: Tensor) -> DeviceTokens:
    """Two neighbouring frames' devices -> tokens of the later one; every leading dimension is a batch.

    ``now`` and ``before``: rotations (..., 3, 3, 3) and positions (..., 3, 3) m of the world; ``lost`` and ``was_lost``
    (..., 3): frames since each device was tracked, 0 where it is. A lost device says zeros and how long it is lost.
    """
    rotations, positions = now
    expect("rotations", rotations, (..., 3, 3, 3))
    yaw = heading(rotations[..., 0, :, :])
    rot, at = seen_from(rotations, positions, yaw[..., None], positions[..., :1, :])
    back = about_vertical(-yaw)[..., None, :, :]
    moved = (back @ ((positions - before[1]) * RATE)[..., None])[..., 0]
    turn = (rotations @ before[0].mT) - torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    # For the small turns of one frame the antisymmetric part is the rotation vector, without a logarithm's branches.
    spin = torch.stack([turn[..., 2, 1] - turn[..., 1, 2], turn[..., 0, 2] - turn[..., 2, 0],
                        turn[..., 1, 0] - turn[..., 0, 1]], -1) * (0.5 * RATE * TURN_SCALE)  # fmt: skip
    spin = (back @ spin[..., None])[..., 0]
    there = (lost == 0)[..., None]
    fresh = there & (was_lost == 0)[..., None]
    still = torch.zeros_like(moved)
    moved, spin = torch.where(fresh, moved, still), torch.where(fresh, spin, still)
    since = (lost / RATE).clamp(max=LONGEST_LOSS)[..., None]
    six = to_6d(rot)
    head = torch.cat([six[..., 0, :], at[..., 0, 2:], moved[..., 0, :], spin[..., 0, :], since[..., 0, :]], -1)
    face = rot[..., :1, :, :].mT
    inner = (face @ (at - at[..., :1, :])[..., None])[..., 0]
    hands = torch.cat([six, to_6d(face @ rot), at, inner, moved, spin], -1) * there
    hands = torch.cat([hands, there.to(six), since], -1)[..., 1:, :]
    return DeviceTokens(head, hands[..., 0, :], hands[..., 1, :], yaw)
