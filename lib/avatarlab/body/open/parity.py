"""What the open body must agree with: Anny itself, posed by SMPL-X rotations, and the published file."""

import numpy as np
import torch

from avatarlab.body import Body
from avatarlab.body.open.correctives import bone_entries
from avatarlab.body.open.rig import joint_bones
from avatarlab.body.open.source import ANNY_TO_SMPLX, AnnySource, split
from avatarlab.body.open.vertex_order import permutation


def bone_deltas(source: AnnySource, turns: np.ndarray, rotations: np.ndarray) -> torch.Tensor:
    """Return Anny's ``local-ref`` pose parameters (N, B, 4, 4) of SMPL-X local rotations (N, 55, 3, 3).

    Delta_b = C' G_p' L_b G_b C with C the axes, G the rest-to-T rotation ``turns`` (B, 3, 3) of bone and parent, L_b
    the joint rotation where it enters (identity elsewhere): open_body.md, section 2.
    """
    entries = bone_entries(source)
    local = np.where((entries >= 0)[:, None, None], rotations[:, entries], np.eye(3))
    above = np.where((source.bone_parents >= 0)[:, None, None], turns[source.bone_parents], np.eye(3))
    delta = np.tile(np.eye(4), (len(rotations), len(entries), 1, 1))
    delta[..., :3, :3] = ANNY_TO_SMPLX.T @ above.swapaxes(-1, -2) @ local @ turns @ ANNY_TO_SMPLX
    return torch.from_numpy(delta)


def pose_anny(model, source: AnnySource, turns: np.ndarray, theta: torch.Tensor, rotations: np.ndarray):
    """Pose Anny's own model: parameters theta (N, P), rotations (N, 55, 3, 3) -> vertices (N, V, 3) in file order and
    joints (N, 55, 3), metres, SMPL-X axes, pelvis joint at the origin."""
    phenotypes, local = split(model, theta.double(), source.parameters)
    posed = model(bone_deltas(source, turns, rotations), phenotypes, local)
    heads = posed["bone_poses"][:, joint_bones(source.bones), :3, 3].numpy() @ ANNY_TO_SMPLX.T
    vertices = posed["vertices"].numpy() @ ANNY_TO_SMPLX.T
    return (vertices - heads[:, :1])[:, permutation(source.vertices)], heads - heads[:, :1]


def difference_m(body: Body, published: Body, count: int, seed: int) -> np.ndarray:
    """Return the largest vertex distance (count,) in metres of each of ``count`` people drawn N(0, 1) in whitened components
    between two bodies given the same betas: zero only where components have one order, sign and size."""
    draws = np.random.default_rng(seed).standard_normal((count, len(published.shape_prior()[0])))
    apart = []
    with torch.no_grad():
        for betas in torch.from_numpy(draws).float().split(50):
            apart.append((body(betas=betas).vertices - published(betas=betas).vertices).norm(dim=-1).amax(-1))
    return torch.cat(apart).double().numpy()
