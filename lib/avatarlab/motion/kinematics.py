"""What is told of positions over time in one way everywhere: jerk, and which joints of the feet stand."""

from torch import Tensor

from avatarlab.motion.skeleton import JOINT
from avatarlab.motion.trackers import RATE

FEET = tuple(JOINT[f"{side}_{part}"] for part in ("ankle", "foot") for side in ("left", "right"))
"""The joints that may stand, in the order of contact probabilities: both ankles, then both toes."""
CONTACT_SPEED_M_S = 0.2
"""A foot's joint that is faster than this stands on nothing. Chosen by us; papers differ."""
LEARNED_CONTACT_SPEED_M_S = 0.25
"""The same for labels that a network learns: the published weights were trained with it, and without heights, since
their positions are relative to the head."""
CONTACT_HEIGHT_M = (0.15, 0.15, 0.10, 0.10)
"""Nor does one of FEET (ankles, then toes) stand that is higher above z = 0 than this."""


def stands(speed: Tensor, fastest, height: Tensor | None = None, highest=None) -> Tensor:
    """Speeds and heights of FEET (..., 4), m/s and m -> whether each is slower than ``fastest`` and, where ``height``
    is known, lower than ``highest``."""
    slow = speed < fastest
    return slow if height is None else slow & (height < highest)


def jerk(positions: Tensor, dims: tuple[int, ...] | None = None) -> Tensor:
    """Positions (..., T, J, 3) m at 60 Hz -> mean size of their third derivative over ``dims``, all if None, m/s^3."""
    sizes = positions.diff(n=3, dim=-3).norm(dim=-1)
    return RATE**3 * (sizes.mean() if dims is None else sizes.mean(dims))
