"""Pictures of a mesh that a person would accept: smooth normals, soft light, linear-light blending, supersampling.

The lamps ride on the camera, so every view of a turn is lit alike whatever the world's axes are. No shadows are
cast. For looking, not for fitting: gradients are not kept.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avatarlab.core.shapes import expect
from avatarlab.render.camera import Camera
from avatarlab.render.picture import as_float, to_linear, to_srgb
from avatarlab.render.raster import Raster, rasterize

CLAY = (0.80, 0.76, 0.72)
WALL = (0.95, 0.95, 0.96)
"""Default sRGB colours of mesh and background."""

SKY, GROUND = (0.38, 0.41, 0.46), (0.15, 0.13, 0.12)
KEY, KEY_FROM = (0.95, 0.91, 0.85), (-0.62, -0.55, -0.56)
RIM = 0.30
GLOSS, SHARPNESS = 0.05, 24.0
"""Linear light of the hemisphere and of the key lamp; where that stands (camera axes: left, above, in front)."""


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """vertices (..., V, 3), faces (F, 3) -> unit normals (..., V, 3), area-weighted; zero where no face has the vertex."""
    expect("vertices", vertices, (..., "V", 3))
    expect("faces", faces, ("F", 3))
    sums = torch.zeros_like(vertices)
    across = _face_normals(vertices, faces)
    for corner in range(3):
        sums = sums.index_add(-2, faces[:, corner], across)
    return normalize(sums, dim=-1, eps=1e-20)


def _face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    a, b, c = (vertices[..., faces[:, corner], :] for corner in range(3))
    return torch.linalg.cross(b - a, c - a)


@torch.no_grad()
def shade(vertices, faces, camera: Camera, colors=None, background=None, supersample: int = 2) -> Tensor:
    """vertices (V, 3) world m, faces (F, 3), camera -> picture (H, W, 3) float32 sRGB 0..1.

    colors: sRGB 0..1, (V, 3) or one colour (3,); background: a picture (H, W, 3), bytes or floats, or one colour.
    ``supersample``^2 samples are averaged per pixel, in linear light.
    """
    light, cover = _lit(vertices, faces, camera, colors, supersample)
    return to_srgb(light + (1 - cover) * _backdrop(background, camera).to(light))


@torch.no_grad()
def overlay(
    photo, vertices, faces, camera: Camera, colors=None, opacity: float = 0.7, supersample: int = 2
) -> Tensor:
    """A photo (H, W, 3), bytes or floats, with the shaded mesh over it, ``opacity`` 0..1 -> (H, W, 3) sRGB 0..1."""
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity: got {opacity!r}, expected 0 to 1.")
    light, cover = _lit(vertices, faces, camera, colors, supersample)
    return to_srgb(opacity * light + (1 - opacity * cover) * _backdrop(photo, camera).to(light))


def _lit(vertices, faces, camera: Camera, colors, supersample: int) -> tuple[Tensor, Tensor]:
    """Linear light (H, W, 3), already multiplied by the coverage (H, W, 1) that comes with it.

    Only the part of the picture that the mesh may be in is drawn; the rest is zero.
    """
    if supersample not in range(1, 9):
        raise ValueError(f"supersample: got {supersample!r}, expected a whole number from 1 to 8.")
    rows, columns = _frame(vertices, camera)
    window = camera.window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    fine = window.scaled(supersample)
    raster = rasterize(vertices, faces, fine)
    vertices = vertices.float()
    light = _reflected(raster, vertices, faces, fine) * raster.interpolate(_albedo(colors, vertices), faces)
    cover = raster.mask[..., None].float()
    pictures = [light.new_zeros(camera.height, camera.width, channels) for channels in (3, 1)]
    for picture, layer in zip(pictures, (light, cover), strict=True):
        picture[rows, columns] = _averaged(layer.clamp(0, 1) * cover, supersample)
    return tuple(pictures)


def _frame(vertices: Tensor, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns, at least one, of what vertices (V, 3) m can cover; the whole picture if one is behind the camera."""
    size = torch.tensor([camera.width, camera.height])
    pixels, depth = camera.project(vertices.double())
    if not len(pixels) or not bool((depth > 0).all() & torch.isfinite(pixels).all()):
        return slice(0, camera.height), slice(0, camera.width)
    low = torch.minimum(pixels.amin(0).floor().cpu().clamp_min(0), size - 1).long()
    high = torch.maximum(torch.minimum(pixels.amax(0).ceil().cpu(), size).long(), low + 1)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    return slice(top, bottom), slice(left, right)


def _averaged(layer: Tensor, n: int) -> Tensor:
    height, width, channels = layer.shape
    return layer.reshape(height // n, n, width // n, n, channels).mean((1, 3))


def _albedo(colors, vertices: Tensor) -> Tensor:
    colors = torch.as_tensor(CLAY if colors is None else colors, dtype=torch.float32, device=vertices.device)
    if colors.ndim == 2:
        expect("colors", colors, ("V", 3), V=len(vertices))
    else:
        expect("colors", colors, (3,))
    return to_linear(colors.expand(len(vertices), 3))


def _reflected(raster: Raster, vertices: Tensor, faces: Tensor, camera: Camera) -> Tensor:
    """What a white surface sends to the camera (H, W, 3): hemisphere, wrapped key lamp, a bright rim, a little gloss."""
    normal, view = _seen_normals(raster, vertices, faces, camera), _views(raster, camera)
    sky, ground, key = (normal.new_tensor(c) for c in (SKY, GROUND, KEY))
    lamp = normalize(normal.new_tensor(KEY_FROM), dim=0)
    upward = (0.5 - 0.5 * normal[:, 1])[:, None]
    wrapped = ((normal @ lamp + 0.2) / 1.2).clamp_min(0)[:, None]
    rim = RIM * (1 - (normal * view).sum(-1).clamp(0, 1))[:, None] ** 3 * sky
    gloss = GLOSS * ((normal * normalize(view + lamp, dim=-1)).sum(-1).clamp_min(0) ** SHARPNESS)[:, None]
    picture = normal.new_zeros(*raster.face_id.shape, 3)
    picture[raster.mask] = ground + (sky - ground) * upward + key * wrapped + rim + gloss
    return picture


def _seen_normals(raster: Raster, vertices: Tensor, faces: Tensor, camera: Camera) -> Tensor:
    """Smooth unit normals (N, 3) in camera axes at the N drawn pixels; of faces seen from behind, turned round."""
    rotation = camera.viewmat[:3, :3].to(vertices)
    smooth = raster.interpolate(vertex_normals(vertices, faces), faces)[raster.mask]
    seen = faces[raster.face_id[raster.mask].long()]
    outward = _face_normals(vertices, seen)
    behind = (outward * (vertices[seen[:, 0]] - camera.eye.to(vertices))).sum(-1) > 0
    smooth = torch.where(behind[:, None], -smooth, smooth)
    return normalize(smooth, dim=-1) @ rotation.T


def _views(raster: Raster, camera: Camera) -> Tensor:
    """Unit directions (N, 3) in camera axes from the N drawn points to the camera."""
    pixels = camera.centres()[raster.mask].float()
    return -camera.rays(pixels) @ camera.viewmat[:3, :3].to(pixels).T


def _backdrop(background, camera: Camera) -> Tensor:
    """Linear light of a picture (H, W, 3) or of a colour (3,)."""
    if background is None or len(background) == 3 and torch.as_tensor(background).ndim == 1:
        return to_linear(torch.as_tensor(WALL if background is None else background, dtype=torch.float32))
    picture = as_float("background", background)
    expect("background", picture, ("H", "W", 3), H=camera.height, W=camera.width)
    return to_linear(picture)
