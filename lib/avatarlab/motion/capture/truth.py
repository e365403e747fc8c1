"""What calibration is worth, where the true motion is known: errors with it, without it, and with perfect devices."""

from dataclasses import replace

import roma
import torch

from avatarlab.motion.capture.axes import DEVICES, HELD
from avatarlab.motion.capture.calibration import Calibration
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.simulation import SimulatedRig, worn
from avatarlab.motion.evaluate.metrics import scores
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import DEVICES as JOINTS
from avatarlab.motion.trackers import Trackers


def uncalibrated(calibration: Calibration) -> Calibration:
    """The same room, but devices taken for the joints, held as HELD says, and everybody as tall as the figure.

    That is what SAGE's conversion of real recordings does; it does not know the room's heading and origin either, but
    these would only hide the error that is meant.
    """
    turns = torch.tensor(HELD, dtype=torch.float64).mT
    return replace(calibration, offsets=torch.zeros(3, 3, dtype=torch.float64), turns=turns, scale=1.0)


def offset_errors_mm(calibration: Calibration, figure: Figure, rig: SimulatedRig) -> dict[str, float]:
    """Device -> how far its found offset is from the simulated rig's, in mm."""
    hung, shifts = worn(figure, rig, calibration.scale)
    known = -(hung.mT @ shifts[..., None])[..., 0]
    return dict(zip(DEVICES, (1000 * (calibration.offsets - known).norm(dim=-1)).tolist(), strict=True))


def device_errors(figure: Figure, truth: Motion, seen: Trackers, begins: int = 0) -> dict[str, float]:
    """Mean errors of head and wrists from frame ``begins`` on where they are tracked: ``head_cm``, ``head_deg``, ..."""
    count = min(len(seen), len(truth.trans))
    world, positions = (x[begins:count, list(JOINTS)] for x in figure.skeleton.fk(*truth))
    far = 100 * (seen.positions[begins:count] - positions).norm(dim=-1)
    turn = torch.rad2deg(roma.rotmat_geodesic_distance(seen.rotations[begins:count], world))
    found, told = {}, seen.tracked[begins:count]
    for d, name in enumerate(DEVICES):
        found |= {f"{name}_cm": float(far[told[:, d], d].mean()), f"{name}_deg": float(turn[told[:, d], d].mean())}
    return found


def pose_errors(figure: Figure, truth: Motion, pred: Motion, begins: int = 0) -> dict[str, float]:
    """The figures of ``metrics.scores`` from frame ``begins`` on."""
    count = min(len(pred.trans), len(truth.trans))
    parts = (Motion(m.rotations[begins:count], m.trans[begins:count]) for m in (truth, pred))
    return {name: float(value) for name, value in scores(figure.skeleton, *parts).items()}
