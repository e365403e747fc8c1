"""What one view of a made-up person shows: an outline, clothed and spoilt as an everyday photo's or clean, and keypoints.

Drawn on a canvas that holds just the person, then cut out as the network sees it. Poses, cameras, clothes and faults
are those of the ``people`` room.
"""

from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.coarse_mesh import Coarse
from avatarlab.fit.regressor.crop import COLUMNS, ROWS, CropWindow, channels, cut, window
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

    def __init__(self, body: Body, mesh: Coarse):
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
