"""``PosedClip``: a Clip on the body of one person, turned from the z-up world of motion to the y-up one of files and pictures.

What every moving export starts from, so that GLB, BVH and video show the same.
"""

from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.body.layout import ARKIT_NAMES
from avatarlab.motion.clip import Clip
from avatarlab.motion.rotations import upright

STILL_RAD = 1e-5
"""A joint that never turns further than this from its first frame stands still."""


@dataclass(frozen=True)
class PosedClip:
    """T frames at ``rate`` Hz, y up: local rotations (T, 55, 3, 3), the root's in the world; pelvis positions (T, 3) m.

    betas (B,); rest (55, 3) m joints of the person at rest; expression (T, E) strengths of the body's facial actions.
    """

    rotations: Tensor
    pelvis: Tensor
    betas: Tensor
    rest: Tensor
    expression: Tensor
    rate: float

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def turning(self) -> np.ndarray:
        """Which joints (55,) turn at all, as a mask."""
        apart = roma.rotmat_geodesic_distance(self.rotations, self.rotations[:1].expand_as(self.rotations))
        return (apart > STILL_RAD).any(0).numpy()

    def sampled(self, rate: float) -> "PosedClip":
        """Every frame nearest to the ticks of a lower ``rate``, for pictures; the last tick stays inside."""
        count = int((len(self) - 1) * rate / self.rate + 1e-6) + 1
        chosen = torch.arange(count).mul(self.rate / rate).round().long().clamp_max(len(self) - 1)
        parts = self.rotations[chosen], self.pelvis[chosen], self.betas, self.rest, self.expression[chosen]
        return PosedClip(*parts, float(rate))

    @torch.no_grad()
    def vertices(self, body, frame: int, chosen=None) -> Tensor:
        """The body's own skin in one frame, (V, 3) m, or of the vertices ``chosen`` (K,) alone."""
        moved = self.pelvis[frame] - self.rest[0]
        given = {"betas": self.betas, "rotations": self.rotations[frame], "expression": self.expression[frame]}
        return body(**given, transl=moved, vertices=chosen).vertices

    @torch.no_grad()
    def joints(self, body) -> Tensor:
        """All joints (T, 55, 3) m."""
        return body.joints_only(betas=self.betas, rotations=self.rotations, transl=self.pelvis - self.rest[0])


def pose_clip(body, person, clip: Clip) -> PosedClip:
    """Put ``clip`` on ``person``, who may be larger or smaller than who moved: hips and ways grow with the legs.

    The ratio is that of the hips' heights above the soles at rest, so feet that stood on the floor still do.
    """
    poses = torch.tensor(clip.poses).double()
    rotations = roma.rotvec_to_rotmat(poses.view(-1, 55, 3))
    lay = upright(rotations).mT
    rotations = torch.cat([lay @ rotations[:, :1], rotations[:, 1:]], 1).float()
    betas, own = person.betas(), torch.tensor(clip.betas if len(clip.betas) else [0.0])
    rest, others = _rest(body, betas), _rest(body, own)
    grown = (rest.hips - rest.sole) / (others.hips - others.sole)
    positions = torch.tensor(clip.trans).double() + others.joints[0].double()
    pelvis = (grown * (positions @ lay.mT)).float()
    expression = _expression(body, torch.tensor(clip.expression))
    return PosedClip(rotations, pelvis, betas, rest.joints, expression, clip.mocap_frame_rate)


@dataclass(frozen=True)
class _Rest:
    """A body at rest: joints (55, 3) m, heights of hips and soles in m."""

    joints: Tensor
    hips: float
    sole: float


@torch.no_grad()
def _rest(body, betas: Tensor) -> _Rest:
    still = body(betas=betas)
    skin = still.vertices[: body.skin_count]
    return _Rest(still.joints, float(still.joints[0, 1]), float(skin[:, 1].min()))


def _expression(body, given: Tensor) -> Tensor:
    """Strengths (T, 52) of ARKit's actions -> (T, E) of the body's, by name; what the body lacks is left out."""
    names = tuple(body.expression_names)
    shared = [(names.index(name), k) for k, name in enumerate(ARKIT_NAMES) if name in names]
    shown = torch.zeros(len(given), len(names))
    for own, k in shared:
        shown[:, own] = given[:, k]
    return shown
