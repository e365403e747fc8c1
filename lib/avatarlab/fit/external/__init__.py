"""Outside networks that guess a body from a photo, behind one interface: ``photo -> Observation and first guess``."""

from avatarlab.fit.external.interface import ExternalRegressor, looked, together
from avatarlab.fit.external.loading import KINDS, load

__all__ = ["KINDS", "ExternalRegressor", "load", "looked", "together"]
