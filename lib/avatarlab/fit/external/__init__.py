"""Outside networks that guess a body from a photo, behind one interface: ``photo -> Observation and first guess``."""

from avatarlab.fit.external.interface import KINDS, Regressor, load, looked, together

__all__ = ["KINDS", "Regressor", "load", "looked", "together"]
