"""Deprecated: ``Live`` lives in ``avatarlab.motion.capture.live``."""

import warnings

from avatarlab.motion.capture.live import Live

__all__ = ["Live"]

warnings.warn(
    "avatarlab.motion.live: import Live from avatarlab.motion.capture.live.", DeprecationWarning, stacklevel=2
)
