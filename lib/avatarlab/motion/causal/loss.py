"""What the causal model is asked for, on every frame: turns, positions, speeds, accelerations, feet that stand."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from avatarlab.motion.kinematics import FEET, LEARNED_CONTACT_SPEED_M_S, stands
from avatarlab.motion.skeleton import COUNT, HEAD, PARENT, Skeleton
from avatarlab.motion.trackers import RATE


@dataclass(frozen=True)
class Weights:
    """How much each term counts; chosen so that positions lead and what only makes motion smooth adds a third.

    turn, local: Frobenius norms of wrong world and local rotations, a joint; place: metres, a joint, under the true
    head; speed (m/s) and acceleration (m/s^2) of that error; spin: wrong angular velocity of the world's rotations
    (rad/s); contact: cross-entropy of standing feet; skate: speed (m/s) of feet that truly stand.
    """

    turn: float = 0.5
    local: float = 0.5
    place: float = 10.0
    speed: float = 0.5
    acceleration: float = 0.02
    spin: float = 0.14
    contact: float = 0.02
    skate: float = 0.1


def chains(like: Tensor) -> Tensor:
    """(22, 22): row j has ones at the joints whose bones lead from the root to joint j, minus those to the head."""
    rows = torch.zeros(COUNT, COUNT)
    for joint in range(1, COUNT):
        rows[joint] = rows[PARENT[joint]]
        rows[joint, joint] = 1
    return (rows - rows[HEAD]).to(like)


def from_head(skeleton: Skeleton, world: Tensor) -> Tensor:
    """World rotations (..., 22, 3, 3) -> positions (..., 22, 3) m relative to the head, without a loop over joints."""
    above = world[..., [0, *PARENT[1:]], :, :]
    bones = (above * skeleton.offsets.to(world)[:, None, :]).sum(-1)
    return chains(world) @ bones


def local(world: Tensor) -> Tensor:
    """World rotations (..., 22, 3, 3) -> local ones; the root's stays."""
    above = world[..., list(PARENT[1:]), :, :]
    return torch.cat([world[..., :1, :, :], above.mT @ world[..., 1:, :, :]], -3)


def spin(world: Tensor) -> Tensor:
    """World rotations (B, T, ..., 3, 3) -> angular velocities (B, T - 1, ..., 3) in rad/s: logarithms of frames' turns.

    A frame's turn is small, so the antisymmetric part stands for the logarithm (0.2 % less at 6 rad/s); it has no branch
    and a gradient at zero.
    """
    turn = world[:, 1:] @ world[:, :-1].mT
    skew = (turn - turn.mT) * (0.5 * RATE)
    return torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1)


def norm(x: Tensor, dim=-1) -> Tensor:
    """Length with a gradient at zero."""
    return (x.square().sum(dim) + 1e-8).sqrt()


def terms(
    pred: Tensor, contact: Tensor, true: Tensor, skeleton: Skeleton, term_weights: Weights, moved: Tensor
) -> dict:
    """World rotations said and true (B, T, 22, 3, 3), contact logits (B, T, 4), head's step (B, T, 3) m -> loss terms."""
    positions, aims = from_head(skeleton, pred), from_head(skeleton, true)
    error = positions - aims
    steps = error.diff(dim=1) * RATE
    found = {"turn": norm(pred - true, (-2, -1)).mean(), "place": norm(error).mean()}
    found["local"] = norm(local(pred) - local(true), (-2, -1)).mean()
    found["speed"] = norm(steps).mean()
    found["acceleration"] = norm(steps.diff(dim=1) * RATE).mean()
    found["spin"] = norm(spin(pred) - spin(true)).mean()
    feet = list(FEET)
    motion = aims[:, :, feet].diff(dim=1) + moved[:, 1:, None]
    standing = stands(norm(motion) * RATE, LEARNED_CONTACT_SPEED_M_S).to(contact)
    found["contact"] = binary_cross_entropy_with_logits(contact[:, 1:], standing)
    slips = norm(positions[:, :, feet].diff(dim=1) + moved[:, 1:, None]) * RATE
    found["skate"] = (slips * standing).mean()
    total = sum(getattr(term_weights, f.name) * found[f.name] for f in fields(term_weights))
    return {"total": total, **found}
