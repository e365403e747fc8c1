"""Recordings of other skeletons put onto the 22 joints of our body."""

from avatarlab.motion.retarget.retarget import retarget
from avatarlab.motion.retarget.tables import table_for

__all__ = ["retarget", "table_for"]
