"""Volume of a closed mesh and the weight it stands for."""

import torch

DENSITY_KG_PER_M3 = 1010.0
"""Body density that matches mesh volumes to ANSUR II weights. Source: open_body.md section 7 (weight = 1.01 x
volume)."""


def volume(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Vertices (..., V, 3) m and outward faces (F, 3) of closed surfaces -> volume (...) m^3 (divergence
    theorem)."""
    one, two, three = (vertices.index_select(-2, corner) for corner in faces.T.contiguous())
    return (one * torch.linalg.cross(two, three)).sum((-1, -2)) / 6


def weight_kg(body, vertices: torch.Tensor) -> torch.Tensor:
    """Vertices (..., V, 3) m of ``body`` in any pose -> weight (...) in kg, differentiable."""
    return volume(vertices, body.faces) * DENSITY_KG_PER_M3
