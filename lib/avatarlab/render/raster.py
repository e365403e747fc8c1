"""Which face each pixel sees, where on it, and how far: one call, three z-buffers behind it.

The z-buffers only decide face ids, and do so in whole numbers (see ``screen.py``), so ``warp`` and ``torch`` agree to
the pixel. Barycentrics and depth then follow from the ids in plain torch, in float64, differentiably.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.core.shapes import expect
from avatarlab.render.camera import Camera
from avatarlab.render.screen import NEAR, Screen, to_screen

BACKENDS = ("warp", "torch", "pytorch3d")


@dataclass(frozen=True, eq=False)
class Raster:
    """face_id (H, W) int32, -1 = background; bary (H, W, 3), perspective-correct, 0 there; depth (H, W) m, inf there.

    ``bary`` and ``depth`` carry gradients to vertices, viewmat and K; the ids, and so the outline, do not.
    """

    face_id: Tensor
    bary: Tensor
    depth: Tensor

    @property
    def mask(self) -> Tensor:
        """(H, W) bool: something is drawn here."""
        return self.face_id >= 0

    def interpolate(self, values: Tensor, faces: Tensor) -> Tensor:
        """values (V, C) at the vertices -> (H, W, C), zero on the background."""
        expect("values", values, ("V", "C"))
        mask = self.mask
        corners = values[faces[self.face_id[mask].long()]]
        picture = values.new_zeros(*mask.shape, values.shape[1])
        picture[mask] = (corners * self.bary[mask].to(values)[..., None]).sum(-2)
        return picture


def rasterize(
    vertices: Tensor, faces: Tensor, camera: Camera, backend: str = "warp", near: float = NEAR
) -> Raster:
    """vertices (V, 3) world m, faces (F, 3) integer -> Raster of the nearest face at each pixel centre.

    Both windings are drawn. A face with a corner nearer than ``near`` m, behind the camera, or more than 2^17 px
    outside the image is dropped whole, not clipped. Equal depths: the lower face number wins. One thread works per
    face: a few faces that fill the image are slow on a GPU.
    """
    screen = to_screen(vertices, faces, camera, near)
    face_id = visible_faces(screen, faces, backend)
    bary, depth = _surface(vertices, faces, camera, face_id)
    return Raster(face_id, bary, depth)


def visible_faces(screen: Screen, faces: Tensor, backend: str = "warp") -> Tensor:
    """Face ids (H, W) int32, -1 = background, from the z-buffer named ``backend``."""
    if backend == "warp":
        from avatarlab.render.zbuffer_warp import zbuffer
    elif backend == "torch":
        from avatarlab.render.zbuffer_torch import zbuffer
    elif backend == "pytorch3d":
        from avatarlab.render.zbuffer_pytorch3d import zbuffer
    else:
        raise ValueError(f"backend: got {backend!r}, expected one of {', '.join(BACKENDS)}.")
    if not screen.drawn.any():
        return torch.full((screen.height, screen.width), -1, dtype=torch.int32, device=faces.device)
    return zbuffer(screen, faces)


def _surface(vertices: Tensor, faces: Tensor, camera: Camera, face_id: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentrics (H, W, 3) and depth (H, W) in the dtype of vertices, differentiable, from known face ids."""
    rows, columns = torch.nonzero(face_id >= 0, as_tuple=True)
    corners = faces[face_id[rows, columns].long()]
    pixels, z = camera.project(vertices.double())
    centres = torch.stack([columns, rows], -1).double() + 0.5
    weights = _flat_weights(pixels[corners] - centres[:, None]) / z[corners]
    inverse_depth = weights.sum(-1)
    bary = vertices.new_zeros(*face_id.shape, 3)
    depth = vertices.new_full(face_id.shape, torch.inf)
    bary[rows, columns] = (weights / inverse_depth[:, None]).to(vertices)
    depth[rows, columns] = (1 / inverse_depth).to(vertices)
    return bary, depth


def _flat_weights(corners: Tensor) -> Tensor:
    """corners (N, 3, 2) px relative to a point -> the point's barycentrics (N, 3) in the image plane.

    Snapping may put a centre up to 1/8192 px outside its face: it is moved onto the edge. A face that only snapping
    gave an area counts as a point.
    """
    following, last = corners.roll(-1, 1), corners.roll(-2, 1)
    areas = following[..., 0] * last[..., 1] - following[..., 1] * last[..., 0]
    total = areas.sum(-1, keepdim=True)
    empty = total == 0
    inside = (areas / torch.where(empty, torch.ones_like(total), total)).clamp(0, 1)
    inside = torch.where(empty, torch.full_like(inside, 1 / 3), inside)
    return inside / inside.sum(-1, keepdim=True)
