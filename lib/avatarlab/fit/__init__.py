"""From what photos show to a body: pose, camera, shape, their certainty, and a report of how far to trust them."""

from avatarlab.fit.estimator.quality import Quality, ViewQuality
from avatarlab.fit.fitting import FitError, FitResult, Progress, fit, placeholder, replaced
from avatarlab.fit.person import FittedPerson, fit_person

__all__ = [
    "FitError", "FitResult", "FittedPerson", "Progress", "Quality", "ViewQuality", "fit", "fit_person", "placeholder",
    "replaced",
]  # fmt: skip
