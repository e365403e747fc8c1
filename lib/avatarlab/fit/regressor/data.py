"""Batches of made-up people, drawn anew for every step of the training; all of a batch follows from its seed."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.coarse_mesh import coarse
from avatarlab.fit.regressor.encoding import Frame, View
from avatarlab.fit.regressor.extended_shapes import Wide
from avatarlab.fit.regressor.model import VIEWS, RegressorInput
from avatarlab.fit.regressor.render_views import KINDS, PosedPerson, RenderedView, Studio, arms
from avatarlab.fit.regressor.shape_sampler import SEXES, Draws, Shapes
from avatarlab.photo.keypoints import Keypoints
from avatarlab.synthetic import clothing, posing

FRONT_ONLY, SIDE_ONLY = 0.35, 0.05
"""Shares of people of whom there is but one view."""
WEIGHT_TOLD, SEX_TOLD = 0.5, 0.75
WEIGHT_NOISE = 0.02
CLEAN = 0.4
"""Share of people whose outline is exact and whose body is naked."""


class Batch(NamedTuple):
    """N people, seen and true, both views of all.

    image (N, 2, CHANNELS, ROWS, COLUMNS) float16, points (N, 2, 33, 3) found and true_points (N, 2, 33, 2), crop px,
    features (N, 2, FRAME); shapes; views and frame of (N, 2, ...).
    """

    image: Tensor
    points: Tensor
    features: Tensor
    shapes: Shapes
    views: View
    frame: Frame
    true_points: Tensor


class Sampler:
    """Draws batches of people of ``wide``, photographed from front and side."""

    def __init__(self, wide: Wide):
        self.body, self.mesh, self.points = wide.body, coarse(wide.body), Keypoints(wide.body)
        self.draws, self.studio = Draws(wide), Studio(wide.body, self.mesh)
        self.vertices = torch.cat([self.mesh.vertices, self.points.vertices])

    @cached_property
    def slopes_m(self) -> Tensor:
        """How the 16 tapes change with the components about the mean body: (16, S) m per component."""
        count = len(self.draws.wide.body.shape_prior()[0]) + self.draws.wide.further
        return torch.cat([self._slopes(some) for some in torch.eye(count).split(8)], 1)

    def _slopes(self, some: Tensor) -> Tensor:
        sex = torch.zeros(len(some))
        plus, minus = (self.draws.described(sign * some, sex).tapes_m for sign in (1.0, -1.0))
        return (plus - minus).T / 2

    def batch(self, seed, count: int) -> Batch:
        """The batch of a seed: a whole number or a tuple of such."""
        chance = np.random.default_rng(seed)
        return self.batch_of(self.draws(chance, count), chance)

    def batch_of(self, shapes: Shapes, chance: np.random.Generator) -> Batch:
        """A batch of the given people."""
        subjects, bent = self.subjects(shapes, chance)
        return packed(
            [self.studio.shot(one, KINDS[n % VIEWS], chance) for n, one in enumerate(subjects)], shapes, bent
        )

    def subjects(self, shapes: Shapes, chance: np.random.Generator) -> tuple[list[PosedPerson], Tensor]:
        """Pose everybody once for each view -> N x 2 subjects, poses (N, 2, 55, 3)."""
        count = len(shapes.betas)
        bent = torch.stack([posing.sloppy(chance, arms(kind, chance)) for _ in range(count) for kind in KINDS])
        bent = bent.view(count, VIEWS, *bent.shape[1:])
        with torch.no_grad():
            posed = self.body(betas=shapes.betas[:, None], pose=bent, vertices=self.vertices)
        kept = len(self.mesh.vertices)
        spots = self.points(posed.joints, posed.vertices[:, :, kept:])
        worn = [_worn(chance, float(sex)) for sex in shapes.sex]
        return [
            PosedPerson(
                posed.vertices[n, k, :kept], posed.joints[n, k], spots[n, k], bent[n, k],
                float(shapes.stature_m[n]), worn[n],
            )
            for n in range(count)
            for k in range(VIEWS)
        ], bent  # fmt: skip


def _worn(chance: np.random.Generator, sex: float) -> clothing.Clothes | None:
    worn = clothing.clothes(chance, SEXES[int(sex > 0)])
    return None if chance.random() < CLEAN else worn


def packed(shots: list[RenderedView], shapes: Shapes, bent: Tensor) -> Batch:
    """N x 2 shots of people posed as ``bent`` (N, 2, 55, 3) -> Batch."""
    pair = bent.shape[:2]

    def stacked(name: str) -> Tensor:
        values = [torch.as_tensor(getattr(one, name)) for one in shots]
        return torch.stack(values).float().view(*pair, *values[0].shape)

    frame = Frame(stacked("centre"), stacked("focal"), stacked("distance"))
    features = encoding.frame_features(frame, torch.arange(VIEWS).float().expand(pair), stacked("extra"))
    views = encoding.encoded(stacked("rotation"), stacked("shift"), bent, frame)
    return Batch(
        stacked("image").half(), stacked("points"), features, shapes, views, frame, stacked("true_points")
    )


def rows(batch, chosen):
    """The people ``chosen`` (M,) of a Batch or of any tuple of tensors in it."""
    if isinstance(batch, Tensor):
        return batch[chosen]
    return type(batch)(*(rows(part, chosen) for part in batch))


def seen(batch: Batch, present: Tensor, weight_told: Tensor, sex_told: Tensor) -> RegressorInput:
    """What the network is shown: views as ``present`` (N, 2), weight and sex as told (N,), 1 or 0."""
    known = batch.shapes
    given = encoding.given(known.stature_m, known.weight_kg * weight_told, known.sex * sex_told)
    blank = present[..., None, None]
    image = batch.image.float() * blank[..., None]
    return RegressorInput(image, batch.points * blank, batch.features * present[..., None], present, given)


def partly_seen(batch: Batch, chance: np.random.Generator) -> RegressorInput:
    """What the network is shown in training: views, weight and sex left out by chance, the weight a little off."""
    count = len(batch.image)
    dice = chance.random(count)
    present = torch.from_numpy(np.stack([dice <= 1 - SIDE_ONLY, dice >= FRONT_ONLY], 1)).float()
    noise = np.exp(WEIGHT_NOISE * chance.standard_normal(count))
    weight, sex = (chance.random(count) < share for share in (WEIGHT_TOLD, SEX_TOLD))
    return seen(batch, present, torch.from_numpy(weight * noise).float(), torch.from_numpy(sex).float())
