"""How far a said motion is from the true one: the figures of SAGE's evaluation, the geodesic angle, feet and floor.

Everything is for one clip, or a batch of clips of one length, in a z-up world at 60 Hz. Clips are averaged afterwards,
each counting once however long it is, as in the papers. Frame 0 is left out, as there: their features begin at frame 1.
A motion is scored where it says it is; nothing is aligned here.
"""

import math
from collections.abc import Iterable, Mapping

import roma
import torch
from torch import Tensor

from avatarlab.core.shapes import expect
from avatarlab.motion.kinematics import CONTACT_HEIGHT_M, CONTACT_SPEED_M_S, FEET, jerk, stands
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import JOINT, LEFT_WRIST, LOWER, RIGHT_WRIST, UPPER, Skeleton
from avatarlab.motion.trackers import RATE

METRICS = {
    "mpjre_deg": "MPJRE (SAGE's form), deg",
    "mpjre_geodesic_deg": "MPJRE (geodesic), deg",
    "mpjpe_cm": "MPJPE, cm",
    "mpjve_cm_s": "MPJVE, cm/s",
    "hand_cm": "hands, cm",
    "upper_cm": "upper, cm",
    "lower_cm": "lower, cm",
    "root_cm": "root, cm",
    "jitter_100m_s3": "jitter, 100 m/s³",
    "foot_skate_cm_s": "foot skating, cm/s",
    "floor_penetration_cm": "below the floor, cm",
}
"""Key of a figure, unit included -> its words in a table. Smaller is better in all."""
FURTHER = ("hand_reachable_cm", "hand_unreachable_pct")
"""Figures beside: the wrists' error where they could be reached, and how often they could not, see ``reachable``."""
OF_TRUTH = ("jitter_100m_s3", "foot_skate_cm_s", "floor_penetration_cm")
"""Figures that the true motion has too; a row gives its own beside, under the key with ``truth_`` before it."""
HANDS = (LEFT_WRIST, RIGHT_WRIST)
SHOULDERS, ELBOWS = ((JOINT[f"left_{part}"], JOINT[f"right_{part}"]) for part in ("shoulder", "elbow"))
SHORTEST = 5
"""Frames that a clip needs at least: jitter takes three differences of what is left without frame 0."""


def mpjre(true: Tensor, pred: Tensor) -> Tensor:
    """Local rotations (..., T, 22, 3, 3) twice -> mean error (...) of 21 joints, the root left out, degrees.

    The difference of the axis-angles, taken through a matrix and back so that it wraps, then the mean of the sizes of
    its three components. It is no angle: about a third to a half of the geodesic one. Source: SAGE's utils/metrics
    (facts), as of AvatarPoser.
    """
    apart = roma.rotmat_to_rotvec(true[..., 1:, :, :]) - roma.rotmat_to_rotvec(pred[..., 1:, :, :])
    wrapped = roma.rotmat_to_rotvec(roma.rotvec_to_rotmat(apart))
    return torch.rad2deg(wrapped.abs().mean((-3, -2, -1)))


def mpjre_geodesic(true: Tensor, pred: Tensor) -> Tensor:
    """Local rotations (..., T, 22, 3, 3) twice -> mean angle (...) between them, 21 joints without the root, degrees."""
    angle = roma.rotmat_geodesic_distance(true[..., 1:, :, :], pred[..., 1:, :, :])
    return torch.rad2deg(angle.mean((-2, -1)))


def mpjpe(true: Tensor, pred: Tensor, joints: Iterable[int] | None = None) -> Tensor:
    """Positions (..., T, J, 3) m twice -> mean distance (...) of ``joints``, all if None, in cm."""
    return 100 * joint_errors(true, pred)[..., slice(None) if joints is None else list(joints)].mean(-1)


def joint_errors(true: Tensor, pred: Tensor) -> Tensor:
    """Positions (..., T, J, 3) m twice -> mean distance (..., J) of each joint, m."""
    return (true - pred).norm(dim=-1).mean(-2)


def mpjve(true: Tensor, pred: Tensor) -> Tensor:
    """Positions (..., T, J, 3) m twice -> mean size (...) of the difference of their velocities, cm/s."""
    return 100 * RATE * (true.diff(dim=-3) - pred.diff(dim=-3)).norm(dim=-1).mean((-2, -1))


def reachable(skeleton: Skeleton, true: Tensor, pred: Tensor) -> Tensor:
    """Positions (..., T, 22, 3) m twice -> whether the said shoulders are within an arm of the true wrists (..., T, 2).

    Where they are not, no bend of the elbow brings the wrist there: the trunk is wrong, not the arm.
    """
    bones = skeleton.offsets.to(true).norm(dim=-1)
    arm = torch.stack([bones[elbow] + bones[wrist] for elbow, wrist in zip(ELBOWS, HANDS, strict=True)])
    return (true[..., list(HANDS), :] - pred[..., list(SHOULDERS), :]).norm(dim=-1) <= arm


def hand_reachable(skeleton: Skeleton, true: Tensor, pred: Tensor) -> Tensor:
    """Positions (..., T, 22, 3) m twice -> mean error (...) of the wrists where they are ``reachable``, cm; NaN if never."""
    within = reachable(skeleton, true, pred)
    apart = 100 * (true - pred)[..., list(HANDS), :].norm(dim=-1)
    return (apart * within).sum((-2, -1)) / within.sum((-2, -1))


def jitter(positions: Tensor) -> Tensor:
    """Positions (..., T, J, 3) m -> mean size (...) of the third derivative, hundreds of m/s^3 as papers print it."""
    return jerk(positions, (-2, -1)) / 100


def contact(positions: Tensor) -> Tensor:
    """Positions (..., T, 22, 3) m -> whether each of FEET stands from one frame to the next (..., T - 1, 4).

    It does where it moves slower than CONTACT_SPEED_M_S and is lower than CONTACT_HEIGHT_M in both frames.
    """
    feet = positions[..., list(FEET), :]
    height, highest = feet[..., 2], feet.new_tensor(CONTACT_HEIGHT_M)
    slow = stands(RATE * feet.diff(dim=-3).norm(dim=-1), CONTACT_SPEED_M_S, height[..., 1:, :], highest)
    return slow & (height[..., :-1, :] < highest)


def foot_skate(positions: Tensor, standing: Tensor) -> Tensor:
    """Positions (..., T, 22, 3) m, ``standing`` (..., T - 1, 4) of the truth -> mean horizontal speed (...) of FEET, cm/s.

    Of the steps only in which the TRUE foot stands: a model cannot hide skating by lifting its feet. NaN if it never
    stands.
    """
    speed = 100 * RATE * positions[..., list(FEET), :2].diff(dim=-3).norm(dim=-1)
    return (speed * standing).sum((-2, -1)) / standing.sum((-2, -1))


def floor_penetration(positions: Tensor) -> Tensor:
    """Positions (..., T, 22, 3) m -> mean depth (...) of the lowest of FEET below z = 0, cm; nothing where it is above."""
    return 100 * (-positions[..., list(FEET), 2].amin(-1)).clamp(min=0).mean(-1)


def scores(skeleton: Skeleton, truth: Motion, pred: Motion) -> dict[str, Tensor]:
    """Every figure of METRICS and FURTHER, and ``truth_`` ones, (...) each, of motions (..., T) on one skeleton.

    A motion shorter than SHORTEST frames raises ValueError.
    """
    expect("said.rotations", pred.rotations, tuple(truth.rotations.shape))
    if len(truth.rotations.shape) < 4 or truth.rotations.shape[-4] < SHORTEST:
        raise ValueError(
            f"truth: got shape {tuple(truth.rotations.shape)}, expected (..., T >= {SHORTEST}, 22, 3, 3)."
        )
    turns = [motion.rotations[..., 1:, :, :, :] for motion in (truth, pred)]
    true, mine = (skeleton.fk(motion.rotations, motion.trans)[1][..., 1:, :, :] for motion in (truth, pred))
    standing = contact(true)
    return {
        "mpjre_deg": mpjre(*turns),
        "mpjre_geodesic_deg": mpjre_geodesic(*turns),
        "mpjpe_cm": mpjpe(true, mine),
        "mpjve_cm_s": mpjve(true, mine),
        "hand_cm": mpjpe(true, mine, HANDS),
        "upper_cm": mpjpe(true, mine, UPPER),
        "lower_cm": mpjpe(true, mine, LOWER),
        "root_cm": mpjpe(true, mine, (0,)),
        "hand_reachable_cm": hand_reachable(skeleton, true, mine),
        "hand_unreachable_pct": 100 * (~reachable(skeleton, true, mine)).to(true).mean((-2, -1)),
        **_alone(mine, standing),
        **{f"truth_{key}": value for key, value in _alone(true, standing).items()},
    }


def _alone(positions: Tensor, standing: Tensor) -> dict[str, Tensor]:
    figures = jitter(positions), foot_skate(positions, standing), floor_penetration(positions)
    return dict(zip(OF_TRUTH, figures, strict=True))


def averaged(rows: Iterable[Mapping[str, float]], keys: Iterable[str]) -> dict[str, float]:
    """The mean over clips of each figure; clips in which it does not exist (NaN) are left out, NaN if in none."""
    rows = list(rows)
    found = {key: [row[key] for row in rows if not math.isnan(row[key])] for key in keys}
    return {key: math.fsum(values) / len(values) if values else math.nan for key, values in found.items()}
