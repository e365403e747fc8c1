"""Recordings of other skeletons put onto the 22 joints of our body."""

from avatarlab.motion.data.retarget.retarget import retarget
from avatarlab.motion.data.retarget.tables import table_for

__all__ = ["retarget", "table_for"]
