"""The pinhole camera of images: OpenCV axes (x right, y down, z forward), pixels whose first centre is (0.5, 0.5)."""

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from avatarlab.core.shapes import expect


@dataclass(frozen=True, eq=False)
class Camera:
    """viewmat (4, 4) world -> camera, rigid, metres; K (3, 3) in pixels; width and height in pixels.

    Lists, arrays and integer tensors become float32; a float64 tensor stays float64. Every method is
    differentiable in viewmat and K, so a fit may optimise either: ``replace(camera, viewmat=...)``.
    """

    viewmat: Tensor
    K: Tensor
    width: int
    height: int

    def __post_init__(self):
        for name, shape in (("viewmat", (4, 4)), ("K", (3, 3))):
            object.__setattr__(self, name, _tensor(name, getattr(self, name), shape))
        for name in ("width", "height"):
            object.__setattr__(self, name, _pixels(name, getattr(self, name)))
        _check_rigid(self.viewmat.detach())
        _check_intrinsics(self.K.detach())

    @classmethod
    def look_at(
        cls, eye, target, up=(0.0, 1.0, 0.0), *, focal_px=None, fov_deg=None, width: int, height: int
    ) -> Self:
        """Camera at ``eye`` (3,) m looking at ``target`` (3,) m, ``up`` (3,) pointing to the top of the image.

        Give either ``focal_px`` or the vertical angle of view ``fov_deg``; the axis meets the image's middle.
        """
        eye, target = _tensor("eye", eye, (3,)), _tensor("target", target, (3,))
        up = _tensor("up", up, (3,)).to(torch.promote_types(eye.dtype, target.dtype))
        forward = _unit(target - eye, "eye and target are the same point; move one of them.")
        right = _unit(torch.linalg.cross(forward, up), "up is parallel to the viewing direction; choose another.")
        rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
        rows = torch.cat([rotation, -(rotation @ eye)[:, None]], 1)
        viewmat = torch.cat([rows, rows.new_tensor([[0.0, 0.0, 0.0, 1.0]])])
        return cls(viewmat, _centred(_focal(focal_px, fov_deg, height), width, height), width, height)

    @property
    def eye(self) -> Tensor:
        """The camera's centre (3,) in world metres."""
        return -self.viewmat[:3, :3].T @ self.viewmat[:3, 3]

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """points (..., 3) world m -> pixels (..., 2), depth (...) m along the axis.

        Points at or behind the camera (depth <= 0) have no image: their pixels are meaningless, test the depth.
        """
        expect("points", points, (..., 3))
        viewmat, k = self.viewmat.to(points), self.K.to(points)
        local = points @ viewmat[:3, :3].T + viewmat[:3, 3]
        depth = local[..., 2]
        safe = torch.where(depth == 0, torch.full_like(depth, 1e-12), depth)
        return (local @ k[:2].T) / safe[..., None], depth

    def unproject(self, pixels: Tensor, depth: Tensor) -> Tensor:
        """pixels (..., 2), depth (...) m along the axis -> points (..., 3) world m; the inverse of ``project``."""
        expect("pixels", pixels, (..., 2))
        rotation, shift = self.viewmat[:3, :3].to(pixels), self.viewmat[:3, 3].to(pixels)
        return (self._directions(pixels) * depth[..., None] - shift) @ rotation

    def rays(self, pixels: Tensor) -> Tensor:
        """pixels (..., 2) -> unit directions (..., 3) in the world, from ``eye`` through each pixel."""
        expect("pixels", pixels, (..., 2))
        world = self._directions(pixels) @ self.viewmat[:3, :3].to(pixels)
        return torch.nn.functional.normalize(world, dim=-1)

    def _directions(self, pixels: Tensor) -> Tensor:
        homogeneous = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
        return homogeneous @ torch.linalg.inv(self.K.to(pixels)).T

    def centres(self) -> Tensor:
        """The pixel centres (H, W, 2), x before y."""
        x = torch.arange(self.width, dtype=self.K.dtype, device=self.K.device) + 0.5
        y = torch.arange(self.height, dtype=self.K.dtype, device=self.K.device) + 0.5
        return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)

    def scaled(self, factor: float) -> Self:
        """The same view at ``factor`` times the resolution; sizes are rounded, K follows the rounded sizes."""
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(f"factor: got {factor!r}, expected a positive number.")
        width, height = max(1, round(self.width * factor)), max(1, round(self.height * factor))
        ratio = self.K.new_tensor([[width / self.width], [height / self.height], [1.0]])
        return replace(self, K=self.K * ratio, width=width, height=height)

    def window(self, left: int, top: int, width: int, height: int) -> Self:
        """The part of the same view that ``width`` x ``height`` pixels from column ``left`` and row ``top`` see."""
        shift = self.K.new_tensor([[0.0, 0.0, left], [0.0, 0.0, top], [0.0, 0.0, 0.0]])
        return replace(self, K=self.K - shift, width=width, height=height)

    def to(self, target) -> Self:
        """The camera on another device or in another float type, as ``Tensor.to``."""
        return replace(self, viewmat=self.viewmat.to(target), K=self.K.to(target))


def _tensor(name: str, value, shape: tuple) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float32)
    tensor = tensor if tensor.dtype == torch.float64 else tensor.to(torch.float32)
    expect(name, tensor, shape)
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name}: contains NaN or infinity.")
    return tensor


def _pixels(name: str, value) -> int:
    if isinstance(value, bool) or int(value) != value or not 1 <= value <= 2**15:
        raise ValueError(f"{name}: got {value!r}, expected a whole number of pixels from 1 to 32768.")
    return int(value)


def _check_rigid(viewmat: Tensor) -> None:
    rotation = viewmat[:3, :3]
    if not torch.allclose(viewmat[3], viewmat.new_tensor([0.0, 0.0, 0.0, 1.0])):
        raise ValueError(f"viewmat: last row is {viewmat[3].tolist()}, expected 0 0 0 1. Is it transposed?")
    if (rotation @ rotation.T - torch.eye(3).to(rotation)).abs().max() > 1e-3 or torch.linalg.det(rotation) < 0:
        raise ValueError(
            "viewmat: its 3x3 part is no rotation (scaled, sheared or mirrored); expected OpenCV axes."
        )


def _check_intrinsics(k: Tensor) -> None:
    if not (k[0, 0] > 0 and k[1, 1] > 0):
        raise ValueError(f"K: focal lengths are {k[0, 0]:g} and {k[1, 1]:g} px, expected both positive.")
    if k[1, 0] != 0 or not torch.equal(k[2], k.new_tensor([0.0, 0.0, 1.0])):
        raise ValueError("K: expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]]. Is it transposed?")


def _unit(vector: Tensor, complaint: str) -> Tensor:
    length = vector.norm()
    if not length > 1e-9:
        raise ValueError(f"look_at: {complaint}")
    return vector / length


def _focal(focal_px, fov_deg, height: int) -> float:
    if (focal_px is None) == (fov_deg is None):
        raise ValueError("look_at: give exactly one of focal_px (pixels) and fov_deg (degrees).")
    if focal_px is not None:
        return focal_px
    if not 0 < fov_deg < 180:
        raise ValueError(f"fov_deg: got {fov_deg!r}, expected 0 to 180 (degrees, vertical).")
    return height / (2 * math.tan(math.radians(fov_deg) / 2))


def _centred(focal_px: float, width: int, height: int) -> list[list[float]]:
    return [[focal_px, 0.0, width / 2], [0.0, focal_px, height / 2], [0.0, 0.0, 1.0]]
