"""Where MediaPipe's 33 keypoints lie on the body: sparse combinations of joints and named skin vertices.

The network does not point at a rig's joints (the knee is 3 cm lower, the elbow higher, ears are inside), but its
offsets are constant. The table beside this file was fitted by ``tools/calibrate_keypoints.py`` on rendered people.
"""

import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.body.layout import JOINT
from avatarlab.core.errors import InputError

TABLE = Path(__file__).with_name("keypoints.json")
COUNT = 33
JOINT_PREFIX = "joint:"


@cache
def table() -> dict[str, dict[str, float]]:
    """Keypoint number -> {"joint:<name>" or landmark name: share}; the shares of one keypoint sum to 1."""
    return json.loads(TABLE.read_text(encoding="utf-8"))["keypoints"]


class Keypoints:
    """The keypoints of one body: ``vertices`` (K,) numbers to ask for, then call with those and the joints."""

    def __init__(self, body: Body):
        rows = [table()[str(number)] for number in range(COUNT)]
        names = sorted({name for row in rows for name in row if not name.startswith(JOINT_PREFIX)})
        missing = [name for name in names if name not in body.landmarks]
        if missing:
            raise InputError(f"body file: landmarks {', '.join(missing)} are missing; keypoints cannot be placed.")
        self.vertices = torch.tensor([body.landmarks[name] for name in names])
        self.shares = torch.zeros(COUNT, len(JOINT) + len(names))
        for number, row in enumerate(rows):
            for name, share in row.items():
                column = JOINT.get(name.removeprefix(JOINT_PREFIX))
                column = len(JOINT) + names.index(name) if column is None or name in names else column
                self.shares[number, column] = share

    def __call__(self, joints: Tensor, vertices: Tensor) -> Tensor:
        """joints (..., 55, 3), vertices (..., K, 3) m -> keypoints (..., 33, 3) m."""
        return self.shares.to(joints) @ torch.cat([joints, vertices], -2)
