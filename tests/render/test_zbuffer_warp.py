import subprocess
import sys

DRAW = """
import torch
from avatarlab.render import Camera, rasterize
camera = Camera(torch.eye(4), [[50, 0, 32], [0, 50, 24], [0, 0, 1]], 64, 48)
raster = rasterize(torch.tensor([[-1.0, -1, 2], [1, -1, 2], [0, 1, 2]]), torch.tensor([[0, 1, 2]]), camera)
assert raster.mask.any()
"""


def test_draws_without_a_word_in_a_fresh_process():
    done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True)
    assert "Warp" not in done.stdout + done.stderr and "odule" not in done.stdout + done.stderr


def test_importing_the_package_does_not_start_warp():
    code = "import sys, avatarlab.render; assert 'warp' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
