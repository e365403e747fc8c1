"""From what photos show to a body: pose, camera, shape, their certainty, and a report of how far to trust them."""

from avatarlab.fit.fitting import FitError, FitResult, Progress, fit, placeholder, replaced
from avatarlab.fit.person import FittedPerson, fit_person
from avatarlab.fit.quality import Quality, ViewQuality

__all__ = [
    "FitError", "FitResult", "FittedPerson", "Progress", "Quality", "ViewQuality", "fit", "fit_person", "placeholder",
    "replaced",
]  # fmt: skip
