"""PyTorch3D's rasterizer behind the same call, for parity where it is installed; seconds per frame on a CPU.

Written from its public interface (0.7: ``Meshes``, ``rasterize_meshes`` in NDC, +x left, +y up, the short side of the
image from -1 to 1) and not yet run here, because the pip installation has no PyTorch3D. It decides coverage in
float32 without a top-left rule, so pixels whose centre lies on an edge may differ from the other backends.
"""

import torch
from torch import Tensor

from avatarlab.render.screen import SUBPIXELS, Screen


def zbuffer(screen: Screen, faces: Tensor) -> Tensor:
    """Screen, faces (F, 3) -> ids (H, W) int32 of the nearest face at each pixel centre, -1 = none."""
    rasterize_meshes, Meshes = _pytorch3d()
    numbers = torch.nonzero(screen.drawn)[:, 0]
    meshes = Meshes(verts=[_ndc(screen)], faces=[faces[numbers].long()])
    found = rasterize_meshes(
        meshes,
        image_size=(screen.height, screen.width),
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=True,
        cull_backfaces=False,
    )[0][0, :, :, 0]
    return torch.where(found < 0, -1, numbers[found.clamp_min(0)]).to(torch.int32)


def _pytorch3d():
    try:
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise ImportError(
            f"backend 'pytorch3d' needs PyTorch3D, which cannot be imported ({error}): "
            "install it from conda-forge (environment.yml) or use backend='warp'."
        ) from error
    return rasterize_meshes, Meshes


def _ndc(screen: Screen) -> Tensor:
    """Corners (V, 2) on the grid -> (V, 3) float32: x, y in NDC and depth in multiples of ``near``."""
    size = torch.tensor([screen.width, screen.height], device=screen.corners.device)
    flat = (size - 2 * screen.corners.double() / SUBPIXELS) / size.min()
    depth = 1 / screen.nearness.clamp_min(1e-9)
    return torch.cat([flat, depth[:, None]], -1).float()
