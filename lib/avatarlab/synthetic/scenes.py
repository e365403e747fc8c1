"""Places where people let themselves be photographed: a room or a yard in true perspective, with things in it.

Every pixel's ray is followed to the floor, the wall behind the person, or the sky; floors and walls have the textures
of skimage's own pictures (no people in them), walls carry posters, windows, shelves and cupboards.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import skimage.data
import torch

from avatarlab.render import Camera
from avatarlab.synthetic.mask_noise import smooth_noise

GROUNDS = {"indoor": ("gravel", "plain", "boards", "tiles"), "outdoor": ("grass", "gravel", "tiles")}
WALLS = {"indoor": ("plain", "plain", "brick", "boards", "tiles"), "outdoor": ("brick", "boards", "hedge")}
POSTERS = ("coffee", "rocket", "hubble_deep_field", "stereo_motorcycle", "page", "text", "colorwheel", "coins")
OUTDOOR_SHARE = 0.35
WALL_M = {"indoor": (0.6, 2.5), "outdoor": (2.0, 8.0)}
"""How far behind the person the wall stands."""
WALL_HEIGHT_M = {"indoor": (10.0, 11.0), "outdoor": (1.2, 4.0)}
TEXTURE_M = {"brick": 1.2, "grass": 1.0, "gravel": 0.8, "hedge": 1.5, "boards": 0.8, "tiles": 1.0, "plain": 1.0}
"""Width of one copy of a texture."""
SHADOW, SHADOW_M = 0.45, 0.22
CLUTTER = (2, 7)


@dataclass(frozen=True, eq=False)
class Place:
    """What surrounds a camera: per pixel (H, W) which surface is seen (0 sky, 1 wall, 2 floor) and where on it, m."""

    surface: np.ndarray
    across: np.ndarray
    along: np.ndarray


def scene(camera: Camera, feet: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return the background (H, W, 3) float32 sRGB 0..1 that ``camera`` sees; ``feet`` (K, 3) m stand on the floor."""
    kind = "outdoor" if chance.random() < OUTDOOR_SHARE else "indoor"
    place = _place(
        camera, float(feet[:, 1].min()), chance.uniform(*WALL_M[kind]), chance.uniform(*WALL_HEIGHT_M[kind])
    )
    picture = _sky(camera, chance)
    wall, floor = (_surfaced(place, chance.choice(names[kind]), chance) for names in (WALLS, GROUNDS))
    wall = _furnished(place, wall, chance) if kind == "indoor" else wall
    picture = np.where((place.surface == 1)[..., None], wall, picture)
    picture = np.where((place.surface == 2)[..., None], floor, picture)
    picture = picture * _shade(place, feet, camera)[..., None] * _light(camera, chance)
    return np.clip(picture, 0, 1).astype(np.float32)


def _place(camera: Camera, floor_m: float, behind_m: float, height_m: float) -> Place:
    """Follow the pixels' rays to the floor at y = floor_m and to a wall ``behind_m`` behind the origin, facing."""
    rays = camera.rays(camera.centres().float()).numpy().astype(np.float64)
    eye = camera.eye.numpy().astype(np.float64)
    away = -eye * [1, 0, 1]
    away /= np.linalg.norm(away)
    right = np.array([-away[2], 0.0, away[0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        to_floor = (floor_m - eye[1]) / rays[..., 1]
        to_wall = (behind_m - eye @ away) / (rays @ away)
    to_floor = np.where(to_floor > 0, to_floor, np.inf)
    to_wall = np.where(to_wall > 0, to_wall, np.inf)
    floor = to_floor < to_wall
    hit = eye + np.minimum(np.minimum(to_floor, to_wall), 1e3)[..., None] * rays
    up = hit[..., 1] - floor_m
    surface = np.where(floor, 2, np.where(up < height_m, 1, 0))
    return Place(surface, hit @ right, np.where(floor, hit @ away, up))


@cache
def texture(name: str) -> np.ndarray:
    """Return a texture (S, S) float32 about 1."""
    if name == "plain":
        return np.ones((8, 8), np.float32)
    if name in ("boards", "tiles"):
        x, y = np.meshgrid(np.arange(256), np.arange(256))
        joint = (y % 64 < 2) | ((x % 128 < 2) if name == "tiles" else (x + 97 * (y // 64)) % 256 < 2)
        tone = np.random.default_rng(1).normal(1, 0.06, (4, 2))[y // 64, x // 128 if name == "tiles" else 0]
        return np.where(joint, 0.6, tone).astype(np.float32)
    picture = getattr(skimage.data, "grass" if name == "hedge" else name)().astype(np.float32)
    return np.ascontiguousarray(np.rot90(picture)) / picture.mean()  # skimage's bricks stand on end


def _surfaced(place: Place, name: str, chance: np.random.Generator) -> np.ndarray:
    """Return (H, W, 3): one texture in one colour all over the place."""
    tile = texture(str(name))
    scale = tile.shape[0] / (TEXTURE_M[str(name)] * chance.uniform(0.7, 1.5))
    across, along = place.across + chance.uniform(0, 9), place.along + chance.uniform(0, 9)
    x, y = ((scale * c) % tile.shape[0] for c in (across, -along))
    tone = cv2.remap(
        tile, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    colour = _colour(chance, str(name))
    return colour * (1 + chance.uniform(0.4, 1.0) * (tone - 1))[..., None]


def _colour(chance: np.random.Generator, name: str) -> np.ndarray:
    """Return a likely sRGB colour (3,) of a surface."""
    if name in ("grass", "hedge"):
        return np.array([0.30, 0.42, 0.18]) * chance.uniform(0.7, 1.3) + chance.normal(0, 0.03, 3)
    if name == "brick":
        return np.array([0.55, 0.36, 0.30]) * chance.uniform(0.7, 1.5) + chance.normal(0, 0.03, 3)
    grey = chance.uniform(0.35, 0.92)
    return grey * (1 + chance.normal(0, 0.07, 3))


def _sky(camera: Camera, chance: np.random.Generator) -> np.ndarray:
    """Return a sky (H, W, 3) with soft clouds."""
    shape = (camera.height, camera.width)
    clouds = (0.5 + 0.3 * smooth_noise(shape, chance, camera.height / 5))[..., None].clip(0, 1)
    blue = np.array([0.50, 0.66, 0.88]) * chance.uniform(0.8, 1.1)
    return blue * (1 - clouds) + chance.uniform(0.75, 0.98) * clouds


def _furnished(place: Place, wall: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Hang and stand things on the wall (H, W, 3)."""
    for _ in range(chance.integers(*CLUTTER, endpoint=True)):
        size = chance.uniform((0.3, 0.3), (1.2, 1.6))
        left, low = chance.uniform(-2.2, 2.2), chance.choice([0.0, chance.uniform(0.5, 1.6)])
        u, v = (place.across - left) / size[0], 1 - (place.along - low) / size[1]
        inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1) & (place.surface == 1)
        if inside.any():
            wall[inside] = _thing(u[inside], v[inside], chance)
    return wall


def _thing(u: np.ndarray, v: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return colours (N, 3) at places (N,), (N,) 0..1 of a poster, a window, a shelf of books or a cupboard."""
    kind = chance.choice(["poster", "poster", "window", "shelf", "cupboard"])
    if kind == "poster":
        picture = poster(str(chance.choice(POSTERS)))
        rows, columns = (
            np.minimum((x * n).astype(int), n - 1) for x, n in zip((v, u), picture.shape, strict=False)
        )
        return picture[rows, columns]
    if kind == "shelf":
        books = chance.uniform(0.1, 0.9, (5, 24, 3))
        board = ((v * 5) % 1) < 0.12
        return np.where(board[:, None], 0.35, books[(v * 5).astype(int) % 5, (u * 24).astype(int) % 24])
    frame = (np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v)) < 0.05) | (abs(u - 0.5) < 0.015)
    pane = np.array([0.85, 0.92, 1.0]) if kind == "window" else _colour(chance, "plain")
    return np.where(frame[:, None], chance.uniform(0.15, 0.95), pane * (1.05 - 0.2 * v)[:, None])


@cache
def poster(name: str) -> np.ndarray:
    """Return one of skimage's pictures (H, W, 3) sRGB 0..1."""
    picture = getattr(skimage.data, name)()
    picture = picture[0] if isinstance(picture, tuple) else picture
    picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
    return picture[..., :3].astype(np.float32) / 255


def _shade(place: Place, feet: np.ndarray, camera: Camera) -> np.ndarray:
    """Return a factor (H, W): darker on the floor by the feet, and where wall and floor meet."""
    eye = camera.eye.numpy()
    away = -eye * [1, 0, 1] / np.linalg.norm(eye * [1, 0, 1])
    right = np.array([-away[2], 0.0, away[0]])
    near = np.ones(place.surface.shape)
    for foot in feet:
        apart = np.hypot(place.across - foot @ right, place.along - foot @ away)
        near = np.minimum(near, 1 - SHADOW * np.exp(-((apart / SHADOW_M) ** 2)))
    return np.where(place.surface == 2, near, 1.0)


def _light(camera: Camera, chance: np.random.Generator) -> np.ndarray:
    """Return a factor (H, W, 3): light that falls off to one side, and its colour."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width] / max(camera.height, camera.width) - 0.4
    slope = chance.normal(0, 0.25, 2)
    warm = 1 + chance.normal(0, 0.04) * np.array([1.0, 0.0, -1.0])
    return (1 + slope[0] * x + slope[1] * y).clip(0.5, 1.4)[..., None] * warm


def floor_points(vertices: torch.Tensor, toes: list[int]) -> np.ndarray:
    """Return where the feet stand (K, 3) m: named skin vertices (V, 3) brought down to the lowest of all."""
    feet = vertices[toes].numpy().astype(np.float64)
    feet[:, 1] = float(vertices[:, 1].min())
    return feet
