"""Batches of made-up people, drawn anew for every step of the training; all of a batch follows from its seed."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.coarse_mesh import CoarseMesh, coarse_mesh
from avatarlab.fit.regressor.crop import COLUMNS, ROWS, CropWindow, channels, cut, window
from avatarlab.fit.regressor.encoding import Frame, View
from avatarlab.fit.regressor.extended_shapes import ExtendedShapes
from avatarlab.fit.regressor.model import VIEWS, RegressorInput
from avatarlab.fit.regressor.shape_sampler import SEXES, Shapes, ShapeSampler
from avatarlab.photo.keypoints import Keypoints
from avatarlab.render import Camera
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import to_screen
from avatarlab.synthetic import clothing, conditions, mask_noise, posing

KINDS = ("front", "side")
CANVAS_PX = 240
"""Height of the person where outlines are drawn and spoilt, before the crop averages them."""
MARGIN = 0.12
"""Room for hair, clothes and shoes about the person, of its height."""
SIDE_ARMS = 0.5
"""Share of side views in which the arms hang over the trunk."""


@dataclass(frozen=True, eq=False)
class PosedPerson:
    """A posed person: skin (K, 3) m of the coarse mesh, joints (55, 3), keypoints (33, 3) m, pose, stature and clothes."""

    skin: Tensor
    joints: Tensor
    keypoints: Tensor
    pose: Tensor
    stature_m: float
    worn: clothing.Clothes | None


@dataclass(frozen=True, eq=False)
class RenderedView:
    """One view as the network is shown it, and its truth.

    image (CHANNELS, ROWS, COLUMNS), points (33, 3) and true_points (33, 2) crop px, centre (2,), focal and distance of
    the crop's Frame, extra (3,) capture and whether the focal length is known; rotation, shift as of ViewState; canvas
    and window: where it was drawn.
    """

    image: np.ndarray
    points: np.ndarray
    true_points: np.ndarray
    centre: np.ndarray
    focal: float
    distance: float
    extra: np.ndarray
    rotation: Tensor
    shift: Tensor
    canvas: Camera
    window: CropWindow


class Studio:
    """Takes shots of people on the coarse mesh of one body."""

    def __init__(self, body: Body, mesh: CoarseMesh):
        self.mesh, self.wardrobe = mesh, clothing.wardrobe(body).only(mesh.vertices, mesh.faces)

    def shot(self, subject: PosedPerson, kind: str, chance: np.random.Generator) -> RenderedView:
        """Photograph a person from ``kind``, front or side, with a phone somewhere."""
        phone = posing.camera(subject.skin, chance, kind)
        canvas = _canvas(phone, subject.skin)
        mask = self.outline(subject, canvas, chance)
        here = window(mask)
        found = conditions.noisy_keypoints(subject.keypoints, canvas, kind, chance)
        found[:, :2] = here.inside(found[:, :2])
        image = channels(cut(mask.astype(np.float32), here), found, kind)
        told, source = conditions.focal(phone, chance)
        return _told(subject, image, found, canvas, here, told / float(phone.K[0, 0]), source)

    def outline(self, subject: PosedPerson, canvas: Camera, chance: np.random.Generator) -> np.ndarray:
        """The mask bool (H, W) on the canvas: exact of a naked body, faulty of a clothed one."""
        worn = subject.worn
        surface = subject.skin if worn is None else self.wardrobe.dressed(subject.skin, worn)
        faces = self.mesh.faces
        mask = visible_faces(to_screen(surface, faces, canvas), faces).numpy() >= 0
        if worn is None:
            return mask
        return mask_noise.faulty(mask, chance, px_per_m(canvas, subject.joints[0]))


def arms(kind: str, chance: np.random.Generator) -> str:
    """Which of posing.VIEWS a person stands in for a view of ``kind``."""
    return "side_arms" if kind == "side" and chance.random() < SIDE_ARMS else kind


def px_per_m(canvas: Camera, pelvis: Tensor) -> float:
    """Pixels per metre at the pelvis (3,) m."""
    depth = canvas.viewmat[2, :3] @ pelvis + canvas.viewmat[2, 3]
    return float(canvas.K[1, 1] / depth)


def _canvas(camera: Camera, skin: Tensor) -> Camera:
    """The camera's view of just the person, CANVAS_PX high, with a margin."""
    pixels = camera.project(skin)[0]
    low, high = pixels.amin(0), pixels.amax(0)
    scale = CANVAS_PX / float(high[1] - low[1])
    room = MARGIN * CANVAS_PX
    width, height = ((high - low) * scale + 2 * room).ceil().int().tolist()
    k = camera.K * scale
    k[:2, 2] += room - low * scale
    k[2, 2] = 1.0
    return Camera(camera.viewmat, k, width, height)


def _told(
    subject: PosedPerson, image, found, canvas: Camera, here: CropWindow, zoom: float, source: str
) -> RenderedView:
    """The shot with its truth, given that the focal length is said to be ``zoom`` times what it is."""
    focal = float(canvas.K[0, 0]) * zoom
    middle = np.array([here.left, here.top]) + np.array([COLUMNS, ROWS]) / 2 / here.scale
    centre = (middle - canvas.K[:2, 2].numpy()) / focal
    view = canvas.viewmat
    # A person said to be seen with another focal length stands as much nearer or farther, and looks the same.
    shift = (view[:3, :3] @ subject.joints[0] + view[:3, 3]) * torch.tensor([1.0, 1.0, zoom])
    turn = view[:3, :3] @ roma.rotvec_to_rotmat(subject.pose[0])
    capture = "studio" if subject.worn is None else "everyday"
    extra = np.array([*encoding.CAPTURE_CODE[capture], float(source == "exif")])
    true = here.inside(canvas.project(subject.keypoints)[0].numpy())
    distance = focal * here.scale * subject.stature_m / encoding.PERSON_PX
    return RenderedView(image, found, true, centre, focal * here.scale, distance, extra, turn, shift, canvas, here)


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

    def __init__(self, wide: ExtendedShapes):
        self.body, self.mesh, self.points = wide.body, coarse_mesh(wide.body), Keypoints(wide.body)
        self.draws, self.studio = ShapeSampler(wide), Studio(wide.body, self.mesh)
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
        return collate(
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


def collate(shots: list[RenderedView], shapes: Shapes, bent: Tensor) -> Batch:
    """N x 2 shots of people posed as ``bent`` (N, 2, 55, 3) -> Batch."""
    pair = bent.shape[:2]

    def stacked(name: str) -> Tensor:
        values = [torch.as_tensor(getattr(one, name)) for one in shots]
        return torch.stack(values).float().view(*pair, *values[0].shape)

    frame = Frame(stacked("centre"), stacked("focal"), stacked("distance"))
    features = encoding.frame_features(frame, torch.arange(VIEWS).float().expand(pair), stacked("extra"))
    views = encoding.encode_view(stacked("rotation"), stacked("shift"), bent, frame)
    return Batch(
        stacked("image").half(), stacked("points"), features, shapes, views, frame, stacked("true_points")
    )


def rows(batch, chosen):
    """The people ``chosen`` (M,) of a Batch or of any tuple of tensors in it."""
    if isinstance(batch, Tensor):
        return batch[chosen]
    return type(batch)(*(rows(part, chosen) for part in batch))


def regressor_input(batch: Batch, present: Tensor, weight_told: Tensor, sex_told: Tensor) -> RegressorInput:
    """What the network is shown: views as ``present`` (N, 2), weight and sex as told (N,), 1 or 0."""
    known = batch.shapes
    given = encoding.subject_features(known.stature_m, known.weight_kg * weight_told, known.sex * sex_told)
    blank = present[..., None, None]
    image = batch.image.float() * blank[..., None]
    return RegressorInput(image, batch.points * blank, batch.features * present[..., None], present, given)


def drop_views(batch: Batch, chance: np.random.Generator) -> RegressorInput:
    """What the network is shown in training: views, weight and sex left out by chance, the weight a little off."""
    count = len(batch.image)
    dice = chance.random(count)
    present = torch.from_numpy(np.stack([dice <= 1 - SIDE_ONLY, dice >= FRONT_ONLY], 1)).float()
    noise = np.exp(WEIGHT_NOISE * chance.standard_normal(count))
    weight, sex = (chance.random(count) < share for share in (WEIGHT_TOLD, SEX_TOLD))
    return regressor_input(batch, present, torch.from_numpy(weight * noise).float(), torch.from_numpy(sex).float())
