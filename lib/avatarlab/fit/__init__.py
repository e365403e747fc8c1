"""From what photos show to a body: pose, camera, shape, their certainty, and a report of how far to trust them."""

from avatarlab.fit.fitting import FitError, FitResult, Progress, fit, placeholder, replaced
from avatarlab.fit.quality import Quality, ViewQuality

__all__ = ["FitError", "FitResult", "Progress", "Quality", "ViewQuality", "fit", "placeholder", "replaced"]
