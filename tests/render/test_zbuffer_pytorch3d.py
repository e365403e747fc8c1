import importlib.util

import pytest
import torch

from avatarlab.render import rasterize
from avatarlab.render.screen import to_screen
from avatarlab.render.zbuffer_pytorch3d import _ndc


def test_absence_is_said_with_the_remedy(camera, square):
    if importlib.util.find_spec("pytorch3d"):
        pytest.skip("PyTorch3D is installed")
    with pytest.raises(ImportError, match="conda-forge.*backend='warp'"):
        rasterize(*square([[10, 8], [30, 8], [30, 20], [10, 20]]), camera, "pytorch3d")


def test_ndc_has_plus_x_left_plus_y_up_and_the_short_side_one(camera, square):
    vertices, faces = square([[0, 0], [64, 0], [64, 48], [32, 24]])
    corners = _ndc(to_screen(vertices, faces, camera, near=0.5))
    wide = 64 / 48
    expected = torch.tensor([[wide, 1, 4], [-wide, 1, 4], [-wide, -1, 4], [0, 0, 4]])
    assert torch.allclose(corners, expected, atol=1e-4)


def test_agrees_with_the_oracle(camera, sphere):
    pytest.importorskip("pytorch3d", reason="PyTorch3D comes from conda-forge only")
    vertices, faces = sphere[0] * 0.7 + torch.tensor([0.1, 0, 3]), sphere[1]
    theirs, ours = (rasterize(vertices, faces, camera, name).face_id for name in ("pytorch3d", "torch"))
    assert (theirs != ours).float().mean() < 0.002
