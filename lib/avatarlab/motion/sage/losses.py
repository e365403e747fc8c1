"""What the parts of the stratified model are trained to make small."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from avatarlab.motion.kinematics import jerk
from avatarlab.motion.rotations import about_vertical, from_6d, to_6d
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.skeleton import COUNT, DEVICES, HEAD, LEFT_WRIST, RIGHT_WRIST, Skeleton
from avatarlab.motion.trackers import RATE

OTHERS = 0.5
"""Weight of the frames of a window that are not the last. Source: reference, motion.md 8."""


def frame_weights(settings: SageSettings, like: Tensor) -> Tensor:
    """Weights (L,) of a window's frames, their mean one."""
    weights = like.new_full((settings.window,), OTHERS if settings.all_frames else 0.0)
    weights[-1] = 1.0
    return weights / weights.mean()


def weighed(errors: Tensor, weights: Tensor) -> Tensor:
    """Errors (B, L, ...) -> their mean, frames weighed by (L,)."""
    return (errors.flatten(2).mean(-1) * weights).mean() if errors.ndim > 2 else (errors * weights).mean()


def part_positions(skeleton: Skeleton, numbers: Tensor, joints: Sequence[int]) -> Tensor:
    """Rotations (..., J, 6) of a part -> positions (..., J, 3) m of its joints, all other joints at rest."""
    rest = torch.eye(3, device=numbers.device).expand(*numbers.shape[:-2], COUNT, 3, 3)
    chosen = torch.as_tensor(joints, device=numbers.device)
    rotations = rest.index_copy(-3, chosen, from_6d(numbers))
    return skeleton.fk(rotations)[1][..., list(joints), :]


def part_terms(
    pred: Tensor, true: Tensor, joints: Sequence[int], skeleton: Skeleton, settings: SageSettings
) -> dict[str, Tensor]:
    """Rotations (B, L, J, 6) of a part as decoded and as they are -> terms of the codebooks' loss, not yet weighed."""
    weights = frame_weights(settings, pred)
    apart = functional.smooth_l1_loss(pred, true, reduction="none", beta=settings.bend)
    positions, true_positions = (part_positions(skeleton, x, joints) for x in (pred, true))
    terms = {
        "root": weighed(apart[:, :, :1], weights),
        "body": weighed(apart[:, :, 1:], weights),
        "positions": weighed(_smooth(positions, true_positions, settings), weights),
    }
    if HEAD in joints:
        head = joints.index(HEAD)
        wrists = [joints.index(LEFT_WRIST), joints.index(RIGHT_WRIST)]
        reach, true_reach = (x[:, :, wrists] - x[:, :, head : head + 1] for x in (positions, true_positions))
        terms["wrists"] = weighed(_smooth(reach, true_reach, settings), weights)
    return terms


def _smooth(pred: Tensor, true: Tensor, settings: SageSettings) -> Tensor:
    return functional.smooth_l1_loss(pred, true, reduction="none", beta=settings.bend)


PART_WEIGHTS = {"root": 0.2, "body": 1.0, "codes": 0.25, "positions": 5.0, "wrists": 5.0}
"""Source: SAGE's VQ-VAE configuration (facts)."""


def body_terms(pred: Tensor, rotations: Tensor, positions: Tensor, skeleton: Skeleton, settings: SageSettings):
    """Rotations (B, L, 22, 6) said; true local rotations (B, L, 22, 3, 3) and positions (B, L, 22, 3) m -> terms.

    ``root`` and ``body`` are distances between six numbers, ``positions`` mean distances of joints (m), heads aligned.
    """
    weights = frame_weights(settings, pred)
    apart = (pred - to_6d(rotations)).norm(dim=-1)
    reached = skeleton.fk(from_6d(pred))[1]
    off = (about_head(reached) - about_head(positions)).norm(dim=-1)
    last = (about_head(reached[:, -1]) - about_head(positions[:, -1])).norm(dim=-1).mean()
    terms = {"root": apart[:, :, :1], "body": apart[:, :, 1:], "positions": off}
    return {name: weighed(x, weights) for name, x in terms.items()} | {"mpjpe_cm": 100 * last.detach()}


BODY_WEIGHTS = {"root": 0.02, "body": 1.0, "positions": 5.0}
"""Source: SAGE's decoder configuration (facts)."""


def about_head(positions: Tensor) -> Tensor:
    """Positions (..., 22, 3) m from the head."""
    return positions - positions[..., HEAD : HEAD + 1, :]


def stream_terms(
    pred: Tensor, yaw: Tensor, rotations: Tensor, positions: Tensor, skeleton: Skeleton
) -> dict[str, Tensor]:
    """Refined rotations (B, T, 22, 6), the root's seen from ``yaw`` (B, T); true local rotations (B, T, 22, 3, 3), the
    root's of the world, and positions (B, T, 22, 3) m -> terms in metres, m/s, m/s^3 and numbers of rotations.

    Heads are aligned in every frame, as where the body is used.
    """
    turned = from_6d(pred)
    turned = torch.cat([about_vertical(yaw)[..., None, :, :] @ turned[..., :1, :, :], turned[..., 1:, :, :]], -3)
    reached = about_head(skeleton.fk(turned)[1]) + positions[..., HEAD : HEAD + 1, :]
    off = reached - positions
    return {
        "rotations": (to_6d(turned) - to_6d(rotations)).norm(dim=-1).mean(),
        "positions": off.norm(dim=-1).mean(),
        "wrists": off[..., list(DEVICES), :].norm(dim=-1).mean(),
        "velocity": RATE * off.diff(dim=1).norm(dim=-1).mean(),
        "slow_velocity": RATE / 3 * (off[:, 3:] - off[:, :-3]).norm(dim=-1).mean(),
        "jerk": jerk(reached),
        "jerk_off": jerk(off),
    }


STREAM_WEIGHTS = {
    "rotations": 0.2, "positions": 2.0, "wrists": 0.5, "velocity": 2.0, "slow_velocity": 0.6, "jerk_off": 5e-4,
}  # fmt: skip
"""Ours: the paper's and its code's weights differ from each other, and their units from these."""


def total(terms: dict[str, Tensor], weights: dict[str, float]) -> dict[str, Tensor]:
    """Terms with their weighed sum as ``total``."""
    return {**terms, "total": sum(weights[name] * term for name, term in terms.items() if name in weights)}
