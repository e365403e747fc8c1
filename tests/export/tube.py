"""A body in miniature: a closed tube along +x with the 55 joints, skinned to one shoulder and one elbow, two eyeballs.

Its posing is written out here independently of the library, so that exports of it have a known truth.
"""

from types import SimpleNamespace

import numpy as np
import torch
import trimesh

from avatarlab.body.layout import JOINT, JOINT_NAMES, PARENTS, PARTS

LENGTH, RADIUS, RINGS, SPOKES = 0.6, 0.05, 41, 24
ELBOW_X = 0.3
BULGE = 0.004
"""The tube's pose corrective: metres that the elbow's ring swells per radian of elbow bend."""


class Tube:
    """Duck of ``Body``: the attributes and the call that the exporters use."""

    joint_names, parents = JOINT_NAMES, torch.tensor(PARENTS)
    expression_names = ("jawOpen", "mouthSmileLeft")
    parts, sha256, bases = PARTS, "ab" * 32, {"topology": "ef" * 32}
    header = {"licences": {"mesh": "made by a test, CC0 1.0"}}

    def __init__(self, with_uv: bool = True):
        wall, faces, self.wall_uv, uv_faces = _tube()
        eyes = [_ball([0.1, RADIUS + 0.02, z]) for z in (-0.03, 0.03)]
        self.skin_count = len(wall) + sum(len(e.vertices) for e in eyes)
        self.joints = _joints()
        self.template = torch.tensor(
            np.concatenate([wall, *(e.vertices for e in eyes), self.joints]), dtype=torch.float32
        )
        self.faces = torch.tensor(_joined(faces, len(wall), eyes))
        self.uv = torch.tensor(np.concatenate([self.wall_uv, [[0.5, 0.5]]]), dtype=torch.float32)
        blank = np.full((len(self.faces) - len(faces), 3), len(self.wall_uv))
        self.uv_faces = torch.tensor(np.concatenate([uv_faces, blank]))
        if not with_uv:
            self.uv, self.uv_faces = torch.zeros(0, 2), torch.zeros((0, 3), dtype=torch.long)
        self.weights = self._weights(len(wall), len(eyes[0].vertices))
        self.part = self._parts(len(wall), len(eyes[0].vertices))
        x = self.template[:, :1]
        self.offsets = torch.stack(
            [torch.tensor([0.0, -0.01, 0.0]) * (x > 0.5), torch.tensor([0, 0, 0.02]) * (x > 0.55)]
        )

    def __call__(self, betas=None, pose=None, expression=None):
        v = self.template
        if expression is not None:
            v = v + torch.einsum("...e,evc->...vc", torch.as_tensor(expression), self.offsets)
        if pose is None:
            return SimpleNamespace(vertices=v, joints=torch.tensor(self.joints).float())
        ring = torch.exp(-(((v[:, 0] - ELBOW_X) / 0.05) ** 2))[:, None]
        bend = pose[JOINT["left_elbow"]].norm()
        v = v + ring * bend * BULGE * v * torch.tensor([0.0, 1, 1]) / RADIUS
        transforms = torch.tensor(_transforms(self.joints, pose.double().numpy())).float()
        blend = torch.einsum("vj,jab->vab", self.weights, transforms)
        posed = torch.einsum("vab,vb->va", blend[:, :3, :3], v) + blend[:, :3, 3]
        return SimpleNamespace(vertices=posed, joints=posed[self.skin_count :])

    def _weights(self, wall: int, ball: int) -> torch.Tensor:
        """Elbow from shoulder by a smooth step 12 cm wide, with a trace of three more joints in the middle."""
        weights = torch.zeros(len(self.template), 55)
        step = torch.clamp((self.template[:wall, 0] - ELBOW_X) / 0.12 + 0.5, 0, 1)
        weights[:wall, JOINT["left_shoulder"]], weights[:wall, JOINT["left_elbow"]] = 1 - step, step
        middle = torch.nonzero((step - 0.5).abs() < 0.1)[:, 0]
        for name, trace in (("spine3", 0.03), ("left_collar", 0.02), ("left_wrist", 0.01)):
            weights[middle] *= 1 - trace
            weights[middle, JOINT[name]] = trace
        for k, side in enumerate(("left", "right")):
            weights[wall + k * ball : wall + (k + 1) * ball, JOINT[f"{side}_eye_smplhf"]] = 1
        weights[self.skin_count :] = torch.eye(55)
        return weights

    def _parts(self, wall: int, ball: int) -> torch.Tensor:
        part = torch.full((len(self.template),), PARTS.index("l_upper_arm"))
        part[wall : wall + ball], part[wall + ball : self.skin_count] = PARTS.index("l_eye"), PARTS.index("r_eye")
        return part


def person(pose=None, **changes):
    """A person-like object standing in the tube, with a fitted pose if one is given."""
    facts = {"stature_m": 1.7, "sex": "female", "placeholder": False, "provenance": {"photo": "made"}}
    state = {} if pose is None else {"pose": np.asarray(pose, dtype=np.float32)}
    return SimpleNamespace(betas=lambda: torch.zeros(300), state=state, **(facts | {"blocks": {}} | changes))


def elbow_bent(degrees: float) -> torch.Tensor:
    """Axis-angle (55, 3): the left elbow bent towards +y."""
    pose = torch.zeros(55, 3)
    pose[JOINT["left_elbow"], 2] = np.radians(degrees)
    return pose


def _tube():
    """Vertices, faces, texture coordinates (x along, angle around, a seam at angle 0) and their faces."""
    x, a = np.meshgrid(np.linspace(0, LENGTH, RINGS), np.arange(SPOKES), indexing="ij")
    angle = 2 * np.pi * a / SPOKES
    wall = np.stack([x, RADIUS * np.cos(angle), RADIUS * np.sin(angle)], axis=-1).reshape(-1, 3)
    r, s = (k.ravel() for k in np.meshgrid(np.arange(RINGS - 1), np.arange(SPOKES), indexing="ij"))

    def faces(columns, turned):
        corner = [r * columns + s, (r + 1) * columns + s, (r + 1) * columns + turned, r * columns + turned]
        return np.concatenate([np.stack([corner[k] for k in tri], axis=1) for tri in ((0, 2, 1), (0, 3, 2))])

    uv = np.stack(np.meshgrid(np.linspace(0, 1, RINGS), np.linspace(0, 1, SPOKES + 1), indexing="ij"), axis=-1)
    ends, caps, uv_caps = [[0, 0, 0], [LENGTH, 0, 0]], [], []
    for end, ring in enumerate((0, RINGS - 1)):
        first = ring * SPOKES + np.arange(SPOKES)
        rim = np.stack([np.full(SPOKES, len(wall) + end), first, np.roll(first, -1)], axis=1)
        rim_uv = ring * (SPOKES + 1) + np.arange(SPOKES)
        uv_rim = np.stack([rim_uv, rim_uv, rim_uv + 1], axis=1)
        caps.append(rim[:, [0, 1, 2]] if end else rim[:, [0, 2, 1]])
        uv_caps.append(uv_rim[:, [0, 1, 2]] if end else uv_rim[:, [0, 2, 1]])
    around = faces(SPOKES, (s + 1) % SPOKES), faces(SPOKES + 1, s + 1)
    vertices = np.concatenate([wall, ends])
    return vertices, np.concatenate([around[0], *caps]), uv.reshape(-1, 2), np.concatenate([around[1], *uv_caps])


def _ball(centre) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.012)
    ball.apply_translation(centre)
    return ball


def _joined(faces, start, balls) -> np.ndarray:
    parts = [faces]
    for ball in balls:
        parts.append(ball.faces + start)
        start += len(ball.vertices)
    return np.concatenate(parts).astype(np.int64)


def _joints() -> np.ndarray:
    joints = np.zeros((55, 3))
    joints[[JOINT["left_elbow"], JOINT["left_wrist"]], 0] = ELBOW_X, LENGTH
    joints[JOINT["left_eye_smplhf"]], joints[JOINT["right_eye_smplhf"]] = [0.1, 0.07, -0.03], [0.1, 0.07, 0.03]
    return joints


def _transforms(joints, pose) -> np.ndarray:
    """4x4 matrices from T-pose to posed space, one joint after the other, by Rodrigues' formula."""
    world = np.zeros((55, 4, 4))
    for j, p in enumerate(PARENTS):
        angle = np.linalg.norm(pose[j])
        k = np.cross(np.eye(3), pose[j] / max(angle, 1e-12))
        local = np.eye(4)
        local[:3, :3] = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
        about = np.eye(4)
        about[:3, 3] = joints[j]
        back = np.eye(4)
        back[:3, 3] = -joints[j]
        world[j] = (world[p] if p >= 0 else np.eye(4)) @ about @ local @ back
    return world
