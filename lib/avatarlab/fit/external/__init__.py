"""Outside networks that guess a body from a photo, behind one interface: ``photo -> Observation and first guess``."""

from avatarlab.fit.external.interface import KINDS, ExternalRegressor, load, looked, together

__all__ = ["KINDS", "ExternalRegressor", "load", "looked", "together"]
