"""Hard people: shapes moved by gradient ascent to where the network measures worst, their stature kept.

After BMnet's adversarial body simulator (Ruiz et al. 2022, arXiv:2210.05667, section 3.3: 10 steps of 0.1, components
kept within 3). The gradient runs through the antialiased outline and the keypoints; poses, cameras and windows stay.
"""

import numpy as np
import torch
from torch import Tensor

from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.crop import COLUMNS, ROWS
from avatarlab.fit.regressor.data import Batch, Sampler
from avatarlab.fit.regressor.loss import project_keypoints
from avatarlab.fit.regressor.model import Regressor, RegressorInput
from avatarlab.fit.regressor.shape_sampler import Shapes
from avatarlab.measure import MEASURES
from avatarlab.render import Camera, silhouette

STEPS, STEP, LIMIT = 10, 0.1, 3.0


def harden(network: Regressor, sampler: Sampler, shapes: Shapes, chance: np.random.Generator) -> Shapes:
    """People (N) -> people near them whose tapes the network gets worse from the same poses and cameras."""
    batch = sampler.batch_of(shapes, chance)
    slope = sampler.slopes_m[MEASURES.index("stature")]
    training, betas = network.training, shapes.betas.clone()
    network.eval()
    for _ in range(STEPS):
        uphill = _uphill(network, sampler, batch, betas)
        uphill = uphill - (uphill @ slope)[:, None] * slope / (slope @ slope)
        pace = uphill.square().mean(1, keepdim=True).sqrt().clamp_min(1e-9)
        betas = torch.where(shapes.betas.abs() < LIMIT, (betas + STEP * uphill / pace).clamp(-LIMIT, LIMIT), betas)
    network.train(training)
    return sampler.draws.described(betas, shapes.sex)


def _uphill(network: Regressor, sampler: Sampler, batch: Batch, betas: Tensor) -> Tensor:
    """The slope (N, S) of every person's tape error by the components."""
    betas = betas.clone().requires_grad_()
    device = network.line.device
    pred = network(RegressorInput(*(part.to(device) for part in _seen(sampler, batch, betas))))
    tapes = batch.shapes.tapes_m + (betas - batch.shapes.betas) @ sampler.slopes_m.T
    return torch.autograd.grad((network.tapes_m(pred.mean).to(tapes) - tapes).square().sum(), betas)[0]


def _seen(sampler: Sampler, batch: Batch, betas: Tensor) -> RegressorInput:
    """What the network would see of other shapes in the same places, differentiable: the outline naked and exact."""
    _, _, pose = encoding.decode_view(batch.views, batch.frame)
    posed = sampler.body(betas=betas[:, None], pose=pose, vertices=sampler.mesh.vertices)
    skin = posed.vertices - posed.joints[..., :1, :]
    cover = torch.stack(
        [torch.stack([_cover(sampler, batch, skin, n, k) for k in range(2)]) for n in range(len(skin))]
    )
    signs = batch.image[:, :, 1:].float().sign()
    image = torch.cat([cover[:, :, None], cover[:, :, None] * signs], 2)
    moved = project_keypoints(sampler.body, sampler.points, betas, batch.views, batch.frame)
    points = torch.cat([batch.points[..., :2] + moved - batch.true_points, batch.points[..., 2:]], -1)
    known = batch.shapes
    given = encoding.subject_features(known.stature_m, torch.zeros_like(known.weight_kg), known.sex)
    return RegressorInput(image, points, batch.features, torch.ones(len(betas), 2), given)


def _cover(sampler: Sampler, batch: Batch, skin: Tensor, n: int, k: int) -> Tensor:
    rotation, shift, _ = encoding.decode_view(batch.views, batch.frame)
    camera = crop_camera(rotation[n, k], shift[n, k], batch.frame.centre[n, k], float(batch.frame.focal[n, k]))
    return silhouette(skin[n, k], sampler.mesh.faces, camera)


def crop_camera(rotation: Tensor, shift: Tensor, centre: Tensor, focal: float) -> Camera:
    """The camera whose picture is the crop; its world is the body about its pelvis."""
    viewmat = torch.eye(4)
    viewmat[:3, :3], viewmat[:3, 3] = rotation, shift
    middle = (torch.tensor([COLUMNS / 2, ROWS / 2]) - centre * focal).tolist()
    return Camera(viewmat, [[focal, 0.0, middle[0]], [0.0, focal, middle[1]], [0.0, 0.0, 1.0]], COLUMNS, ROWS)
