"""What the network is trained on: the likelihood of shape and tapes, camera, pose and where the keypoints fall."""

import torch
from torch import Tensor
from torch.nn import functional

from avatarlab.body import Body
from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.crop import COLUMNS, ROWS
from avatarlab.fit.regressor.data import Batch
from avatarlab.fit.regressor.encoding import Frame, View
from avatarlab.fit.regressor.model import SHAPES, TAPE_M, Regressor, RegressorInput, RegressorOutput
from avatarlab.photo.keypoints import Keypoints

WEIGHTS = {"shape": 1.0, "tape": 1.0, "turn": 10.0, "place": 20.0, "pose": 10.0, "points": 0.05}
"""Of the terms: nats per number, centimetres of tape, squared turns and radians, crop pixels of keypoints."""


def project_keypoints(body: Body, points: Keypoints, betas: Tensor, views: View, frame: Frame) -> Tensor:
    """Where the keypoints of bodies betas (N, S) fall in their views (N, 2, ...): (N, 2, 33, 2) crop px."""
    rotation, shift, pose = encoding.decode_view(views, frame)
    posed = body(betas=betas[:, None], pose=pose, vertices=points.vertices)
    spots = points(posed.joints, posed.vertices) - posed.joints[..., :1, :]
    local = spots @ rotation.mT + shift[..., None, :]
    flat = local[..., :2] / local[..., 2:].clamp_min(0.1) - frame.centre[..., None, :]
    return flat * frame.focal[..., None, None] + flat.new_tensor([COLUMNS / 2, ROWS / 2])


class Loss:
    """The terms of the loss, with the body that the fitter has."""

    def __init__(self, body: Body):
        self.body, self.points = body, Keypoints(body)

    def __call__(
        self, network: Regressor, pred: RegressorOutput, seen: RegressorInput, batch: Batch
    ) -> dict[str, Tensor]:
        """Each term (), unweighted; views that were not shown do not count."""
        shown = seen.present / seen.present.sum()
        views, true = pred.views, batch.views
        ours = project_keypoints(self.body, self.points, pred.betas, views, batch.frame)
        off = (ours - batch.true_points).abs().clamp_max(40.0).mean((-1, -2))
        numbers = network.numbers(batch.shapes.betas, batch.shapes.tapes_m)
        tapes_cm = 100 * TAPE_M * (pred.mean - numbers)[:, SHAPES:]
        return {
            "shape": beta_likelihood(pred, numbers).mean(),
            "tape": functional.smooth_l1_loss(tapes_cm, torch.zeros_like(tapes_cm)),
            "turn": (shown * (views.turn - true.turn).square().sum((-1, -2))).sum(),
            "place": (shown * (views.place - true.place).square().sum(-1)).sum(),
            "pose": (shown * (views.pose - true.pose).square().mean(-1)).sum(),
            "points": (shown * off).sum(),
        }


def likelihood(pred: RegressorOutput, numbers: Tensor) -> Tensor:
    """Negative logarithm of the Gaussian density, less its constant, of each of the numbers (N, NUMBERS)."""
    return 0.5 * ((numbers - pred.mean).square() * (-pred.log_variance).exp() + pred.log_variance)


def beta_likelihood(pred: RegressorOutput, numbers: Tensor) -> Tensor:
    """The likelihood, each number weighed by its variance, so that what is known best does not drown the others.

    Source: Seitzer et al. 2022 (arXiv:2203.09168), beta = 1: means learn as by least squares, variances as by likelihood.
    """
    return likelihood(pred, numbers) * pred.log_variance.detach().exp()


def total(terms: dict[str, Tensor]) -> Tensor:
    """The weighted sum of the terms."""
    return sum(WEIGHTS[name] * value for name, value in terms.items())
