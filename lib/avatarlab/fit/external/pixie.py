"""PIXIE (Y. Feng et al., 3DV 2021): ``encode`` of a body crop to a first guess of pose and camera.

Its code and data lie in models/licensed/pixie, as its authors give them out: non-commercial, and importing them runs
them. From its source: ``encode({"body": {"image": (1, 3, 224, 224), "image_hd": (1, 3, 1024, 1024)}})``, RGB 0..1, ->
``["body"]``: rotations as 6 numbers, the first two columns of the matrix row by row: ``global_pose``, ``partbody_pose``
(17 joints: the body without neck, head and wrists), ``neck_pose``; ``head_pose``, ``left_wrist_pose`` and
``right_wrist_pose`` are absolute, in camera axes, the left wrist mirrored; ``body_cam`` (1, 3): scale and shift of a weak
perspective onto the crop, -1..1; ``shape`` (1, 200).
"""

import importlib
import logging
import sys
from pathlib import Path

import cv2
import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.body import Body, poses
from avatarlab.body.layout import JOINT, PARENTS
from avatarlab.body.model import LICENSED
from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.state import POSED
from avatarlab.fit.external.interface import box, view_state
from avatarlab.fit.regressor.predict import Guess
from avatarlab.photo import Observation, Photo, observe, skeleton

log = logging.getLogger(__name__)

MARGIN = 1.1
CROP_PX, LARGE_PX = 224, 1024
NECK, HEAD, WRISTS = JOINT["neck"], JOINT["head"], (JOINT["left_wrist"], JOINT["right_wrist"])
PART_OF_BODY = [j for j in range(1, POSED) if j not in (NECK, HEAD, *WRISTS)]
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))


class Pixie:
    """An outside regressor, see ``interface.ExternalRegressor``; ``model`` has PIXIE's ``encode``.

    Its shape is not used: its 200 numbers belong to the SMPL-X of 2020, and no vertex of another body matches.
    """

    def __init__(self, model, body: Body, device: str = "cpu"):
        self.model, self.device = model, device
        joints = body.joints_only(pose=poses.tpose())
        self.above_hips_m = (joints[0] - joints[[JOINT["left_hip"], JOINT["right_hip"]]].mean(0)).float()

    @classmethod
    def load(cls, body: Body, folder: str | Path = LICENSED) -> "Pixie":
        """Import pixielib from models/licensed/pixie and build its PIXIE, on a GPU if there is one."""
        home = Path(folder) / "pixie"
        if not (home / "pixielib" / "pixie.py").is_file():
            raise InputError(f"{home}: no pixielib there; docs/licensed.md says where it comes from.")
        sys.path.insert(0, str(home))
        try:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            return cls(importlib.import_module("pixielib.pixie").PIXIE(device=device), body, device)
        except (ImportError, OSError, SystemExit) as error:
            raise InputError(f"{home}: PIXIE does not start ({error}); does its own demo run here?") from None
        finally:
            sys.path.remove(str(home))

    def __call__(self, photo: Photo, view: str = "auto") -> tuple[Observation, Guess | None]:
        seen = observe(photo, view)
        left, top, side = _square(seen)
        images = {
            name: self._crop(photo.rgb, left, top, side, px)
            for name, px in (("image", CROP_PX), ("image_hd", LARGE_PX))
        }
        body = self.model.encode({"body": images}, threthold=True, keep_local=True, copy_and_paste=False)["body"]
        found = {key: body[key].detach().float().cpu() for key in body if key.endswith(("_pose", "_cam"))}
        turns = rotations(found)
        hips = _hips(seen, float(found["body_cam"][0, 0]), side)
        if hips is None:
            log.warning("%s: hips unseen or no size from PIXIE; the lab guesses itself", photo.name)
            return seen, None
        pelvis = hips + turns[0] @ self.above_hips_m
        state = view_state(seen, turns[0], pelvis, roma.rotmat_to_rotvec(turns))
        return seen, Guess(None, None, (state,)) if state else None

    def _crop(self, rgb: np.ndarray, left: float, top: float, side: float, size: int) -> Tensor:
        """The square cut out, (1, 3, size, size) RGB 0..1; black outside the photo."""
        scale = size / side
        onto = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
        cut = cv2.warpAffine(rgb, onto, (size, size), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        return torch.from_numpy(cut.transpose(2, 0, 1).copy())[None].float().to(self.device) / 255


def rotations(body: dict[str, Tensor]) -> Tensor:
    """PIXIE's numbers -> rotations (22, 3, 3): the root's in camera axes, then each body joint's against its parent."""
    turns = torch.eye(3).repeat(POSED, 1, 1)
    turns[0] = _matrices(body["global_pose"])[0]
    turns[PART_OF_BODY] = _matrices(body["partbody_pose"])
    turns[NECK] = _matrices(body["neck_pose"])[0]
    left = MIRROR @ _matrices(body["left_wrist_pose"])[0] @ MIRROR
    ends = {
        HEAD: _matrices(body["head_pose"])[0],
        WRISTS[0]: left,
        WRISTS[1]: _matrices(body["right_wrist_pose"])[0],
    }
    for joint, absolute in ends.items():
        turns[joint] = _absolute(turns, PARENTS[joint]).T @ absolute
    return turns


def _matrices(numbers: Tensor) -> Tensor:
    """Rotations (N, 3, 3) of (1, 6 N) numbers, each the first two columns of a matrix, row by row."""
    return roma.special_gramschmidt(numbers.reshape(-1, 3, 2))


def _absolute(turns: Tensor, joint: int) -> Tensor:
    """A joint's rotation in camera axes: the product down its chain."""
    return turns[0] if joint == 0 else _absolute(turns, PARENTS[joint]) @ turns[joint]


def _square(seen: Observation) -> tuple[float, float, float]:
    """Left, top and side (px) of the square that PIXIE wants: the person's box, square, with its margin."""
    x, y, width, height = box(seen)
    side = MARGIN * max(width, height)
    return x + width / 2 - side / 2, y + height / 2 - side / 2, side


def _hips(seen: Observation, scale: float, side_px: float) -> Tensor | None:
    """Where the middle of the hip joints is, (3,) m in camera axes: as far as the size says, where the photo shows it.

    ``encode`` alone does not tell where the body lies in PIXIE's own frame. None where the hips are not seen.
    """
    hips = seen.keypoints[list(skeleton.HIPS)]
    px_per_m = scale * side_px / 2
    if hips[:, 2].min() < 0.5 or not px_per_m > 0:
        return None
    depth = seen.focal_px / px_per_m
    across = (hips[:, :2].mean(0) - [seen.width / 2, seen.height / 2]) * depth / seen.focal_px
    return torch.tensor([*across, depth]).float()
