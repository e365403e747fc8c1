"""Deprecated: ``Subject`` lives in ``avatarlab.core.subject``."""

import warnings

from avatarlab.core.subject import Subject

__all__ = ["Subject"]

warnings.warn("avatarlab.subject: import Subject from avatarlab.core.subject.", DeprecationWarning, stacklevel=2)
