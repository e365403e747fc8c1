"""A made-up person in pictures: the likeliest body with drawn tapes, dressed in paint, photographed from front and side.

Its truth is known, so a fit can be scored. It lies in the very shape space that the fit searches, has no loose
clothes and no hair volume: what it shows is what photo, camera and pose cost, not how well the space covers people.
It is defined by tapes, not by components, so it stays the same person where these are made anew.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from avatarlab.body import Body, poses
from avatarlab.body.layout import JOINT
from avatarlab.core.subject import Subject
from avatarlab.measure import MEASURES, match, population, tapes
from avatarlab.measure.definitions import FLEXED_M
from avatarlab.photo import Photo
from avatarlab.render import Camera, as_uint8, shade

WIDTH, HEIGHT = 540, 800
POSE_NOISE = 0.035
TAPE_TOLERANCE_M = 0.002
ITERATIONS = 8
TURN = {"front": 0.0, "side": np.pi / 2}
"""Where the camera stands about the vertical, rad: in front, or at the person's left."""
CLOTHES = {
    "shirt": ("trunk", "l_upper_arm", "r_upper_arm"),
    "trousers": ("l_thigh", "r_thigh", "l_calf", "r_calf"),
    "shoes": ("l_foot", "r_foot"),
}
SKINS = ((0.93, 0.76, 0.66), (0.82, 0.61, 0.48), (0.62, 0.43, 0.32), (0.42, 0.28, 0.21))
SHIRTS = ((0.20, 0.35, 0.60), (0.62, 0.20, 0.22), (0.24, 0.45, 0.34), (0.30, 0.30, 0.34))
TROUSERS = ((0.16, 0.18, 0.24), (0.30, 0.27, 0.22), (0.20, 0.24, 0.34))
HAIR = (0.16, 0.11, 0.08)


@dataclass(frozen=True, eq=False)
class RenderedPhoto:
    """One picture: photo, the camera (world is the body's own) and the pose (55, 3) rad."""

    photo: Photo
    camera: Camera
    pose: torch.Tensor


@dataclass(frozen=True, eq=False)
class Rendered:
    """A rendered person: shots by view; truth: betas (48,), sex, stature m, the 16 tapes in cm by name."""

    shots: dict[str, RenderedPhoto]
    betas: torch.Tensor
    sex: str
    stature_m: float
    tapes_cm: dict[str, float]

    @property
    def subject(self) -> Subject:
        """What is told of the person: stature and sex; paint is as near to the body as clothes can be."""
        return Subject(self.stature_m, None, self.sex, "minimal")


def rendered_person(body: Body, seed: int = 7, sex: str | None = None, views=("front", "side")) -> Rendered:
    """Draw a person of ``sex`` (None: by the seed) from ANSUR II's statistics and photograph it; same seed, same bytes."""
    chance = np.random.default_rng(seed)
    sex = sex or ("male", "female")[int(chance.integers(2))]
    betas = sample(body, sex, int(chance.integers(2**31)))
    look = colours(body, chance)
    shots = {view: shot(body, betas, look, TURN[view], chance, f"rendered_{view}") for view in views}
    cm = measured_cm(body, betas)
    return Rendered(shots, betas, sex, cm["stature"] / 100, cm)


def measured_cm(body: Body, betas: torch.Tensor) -> dict[str, float]:
    """The 16 tapes in cm (definition ``ansur``) of one body with betas (B,), in the standing pose."""
    with torch.no_grad():
        vertices = body(betas=betas, pose=poses.standing()).vertices
        return {name: round(100 * float(value), 3) for name, value in tapes(body, vertices).items()}


def sample(body: Body, sex: str, seed: int) -> torch.Tensor:
    """Return betas (S,) of the likeliest body that has the 16 tapes of somebody drawn from ANSUR II's statistics."""
    drawn = population.sample(sex, 1, seed)
    targets = torch.tensor([[drawn[name][0] - FLEXED_M[sex].get(name, 0.0) for name in MEASURES]]).double()
    mean, covariance = (x.double() for x in body.shape_prior(sex))
    root = torch.linalg.cholesky(covariance)
    theta, _ = match.match(
        body, _standing(body, mean, root), targets, MEASURES, torch.full((len(MEASURES),), TAPE_TOLERANCE_M).double(),
        torch.zeros(1, len(mean)).double(), iterations=ITERATIONS,
    )  # fmt: skip
    return (mean + root @ theta[0]).float()


def _standing(body: Body, mean: torch.Tensor, root: torch.Tensor) -> match.Bodies:
    """The standing bodies of betas = mean (S,) + root (S, S) @ theta, theta up to 10; float64."""
    known, unit = match.standing(body, len(mean)), torch.ones_like(mean)
    base, modes = known.base.double(), known.modes.double()
    steps = torch.tensordot(root.T, modes, 1)
    return match.Bodies(
        base + torch.tensordot(mean, modes, 1), steps, lambda theta: theta, lambda theta: torch.diag(unit)[None],
        -10 * unit, 10 * unit, unit,
    )  # fmt: skip


def _pose(chance: np.random.Generator) -> torch.Tensor:
    """An A-pose as people hold it: arms 40 to 55 degrees down, every larger joint a little off."""
    pose = poses.apose(float(chance.uniform(40, 55)))
    noise = POSE_NOISE * chance.standard_normal((22, 3))
    noise[0] = 0
    pose[:22] += torch.as_tensor(noise, dtype=torch.float32)
    for side, turn in (("left", -1.0), ("right", 1.0)):
        pose[JOINT[f"{side}_elbow"], 1] += turn * float(chance.uniform(0.05, 0.25))
        pose[JOINT[f"{side}_hip"], 2] += -turn * float(chance.uniform(0.02, 0.10))
    return pose


def _camera(vertices: torch.Tensor, turn: float, chance: np.random.Generator) -> Camera:
    """A phone held by somebody 2.6 to 3.4 m away, a little off in every direction, the person whole in the frame."""
    low, high = vertices.amin(0), vertices.amax(0)
    middle = ((low + high) / 2).tolist()
    distance, rise = chance.uniform(2.6, 3.4), chance.uniform(0.0, 0.35)
    turn = turn + np.radians(chance.normal(0, 4))
    eye = (middle[0] + distance * np.sin(turn), middle[1] + rise, middle[2] + distance * np.cos(turn))
    roll = np.radians(chance.normal(0, 1))
    focal = 0.80 * HEIGHT * distance / float(high[1] - low[1])
    up = (np.cos(turn) * np.sin(roll), np.cos(roll), -np.sin(turn) * np.sin(roll))
    aim = (middle[0], middle[1] + chance.normal(0, 0.03), middle[2])
    return Camera.look_at(eye, aim, up=up, focal_px=focal, width=WIDTH, height=HEIGHT)


def shot(body: Body, betas, look, turn: float, chance: np.random.Generator, name: str) -> RenderedPhoto:
    """Photograph one body from ``turn`` rad about the vertical, in a pose of its own."""
    pose = _pose(chance)
    with torch.no_grad():
        vertices = body(betas=betas, pose=pose).vertices
    skin = vertices[: body.skin_count]
    camera = _camera(skin, turn, chance)
    picture = shade(vertices, body.faces, camera, colors=look, background=_room(camera, skin, chance))
    rgb = as_uint8(picture).astype(np.float32) + chance.normal(0, 2.0, (HEIGHT, WIDTH, 3))
    rgb = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return RenderedPhoto(Photo(rgb, float(camera.K[0, 0]), name), camera, pose)


def _room(camera: Camera, skin: torch.Tensor, chance: np.random.Generator) -> np.ndarray:
    """A wall and a floor with soft light and a picture on the wall, as (H, W, 3) sRGB 0..1."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    feet, _ = camera.project(skin[skin[:, 1].argmin()])
    line = float(feet[1]) - 0.06 * HEIGHT
    wall, floor = np.array(chance.uniform(0.70, 0.88, 3)), np.array(chance.uniform(0.42, 0.55, 3))
    room = np.where((y > line)[..., None], floor, wall) * (1.05 - 0.18 * (x / WIDTH))[..., None]
    room[int(0.12 * HEIGHT) : int(0.30 * HEIGHT), int(0.80 * WIDTH) : int(0.95 * WIDTH)] = chance.uniform(
        0.3, 0.6, 3
    )
    grain = ndimage.gaussian_filter(chance.standard_normal((HEIGHT // 8, WIDTH // 8)), 6)
    grain = ndimage.zoom(grain, (HEIGHT / len(grain), WIDTH / grain.shape[1]), order=1)
    return np.clip(room + (0.02 * grain / grain.std())[..., None], 0, 1).astype(np.float32)


def colours(body: Body, chance: np.random.Generator) -> torch.Tensor:
    """Vertex colours (V, 3) sRGB: skin, shirt with short sleeves, trousers, shoes, hair, eyes and lips."""
    pick = {name: table[int(chance.integers(len(table)))] for name, table in
            (("skin", SKINS), ("shirt", SHIRTS), ("trousers", TROUSERS))}  # fmt: skip
    colour = torch.tensor(pick["skin"]).repeat(len(body.template), 1)
    for cloth, parts in CLOTHES.items():
        chosen = torch.isin(body.part, torch.tensor([body.parts.index(part) for part in parts]))
        colour[chosen] = torch.tensor(pick.get(cloth, (0.12, 0.12, 0.13)))
    colour[scalp(body)] = torch.tensor(HAIR)
    for eye in ("leye", "reye"):
        colour[_near(body, body.template[body.landmarks[eye]], 0.018)] = torch.tensor((0.93, 0.92, 0.90))
        colour[_near(body, body.template[body.landmarks[eye]], 0.006)] = torch.tensor((0.15, 0.10, 0.07))
    return colour


def _near(body: Body, point: torch.Tensor, radius_m: float) -> torch.Tensor:
    eyes = torch.isin(body.part, torch.tensor([body.parts.index("l_eye"), body.parts.index("r_eye")]))
    return ((body.template - point).norm(dim=1) < radius_m) & (eyes | (radius_m < 0))


def scalp(body: Body) -> torch.Tensor:
    """The scalp (V,) bool: head vertices above the brows in front, above the ears' middle behind."""
    head = body.part == body.parts.index("head")
    ear, eye = body.template[body.landmarks["lear"]], body.template[body.landmarks["leye"]]
    top = body.template[body.landmarks["HEAD_TOP"], 1]
    back = ear[2] - body.template[:, 2]
    line = eye[1] + 0.45 * (top - eye[1]) - (back.clamp(-0.10, 0.06) + 0.10) / 0.16 * 0.75 * (top - eye[1])
    return head & (body.template[:, 1] > line)
