"""The second in T-pose: where a recording has it, and whether its axes and its hands are what they are said to be."""

from typing import NamedTuple

import roma
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avatarlab.core.errors import InputError
from avatarlab.motion.capture import axes
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.rotations import UPRIGHT, about_vertical, heading, upright
from avatarlab.motion.trackers import RATE

LENGTH_S, SHORTEST_S = 1.0, 0.3
"""Of the T-pose that is looked for; and the shortest that may be given."""
WIDEST_SHARE, LEAST_SPREAD_M = 0.92, 0.8
"""In T-pose the hands are nearly as far apart as ever in the recording, and at least so far."""
STILL_M, STILL_RAD = 0.03, 0.12
"""Root mean square of how far a device may wander from its mean within the T-pose."""
TILT, YAW = 0.8, 0.8
"""Radians by which up, and the headset's heading against the line of the hands, may be off before axes are doubted."""

BEHIND_M = 0.04
"""How far the headset may be behind the line between the hands in T-pose; it belongs 5 to 10 cm ahead of it."""


class Held(NamedTuple):
    """The T-pose of a recording: from ``start`` to ``stop`` s, mean positions (3, 3) m and rotations (3, 3, 3)."""

    start: float
    stop: float
    positions: Tensor
    rotations: Tensor


def found(raw: RawRecording) -> Held:
    """The stillest second in which the hands are about as far apart as ever, the head midway between and beside them.

    It does not matter here which way is up. None raises InputError that says what was missing.
    """
    even = raw.resampled()
    length = round(LENGTH_S * RATE)
    if len(even) < length:
        raise InputError(
            f"{raw.source}: lasts {raw.seconds:.2f} s, expected at least {LENGTH_S:g} s in T-pose; record longer."
        )
    hand_distance, shaped = _shape(even)
    still = _wander(even.positions, length)
    stands = even.tracked.all(1) & shaped
    whole = stands.double().unfold(0, length, 1).amin(1) > 0
    if not bool(whole.any()):
        raise InputError(
            f"{raw.source}: no second in T-pose; the hands were {float(hand_distance.max()):.2f} m apart at most. Stand "
            "upright, both arms straight out to the sides, look ahead for a second; or say where it is."
        )
    start = int(torch.where(whole, still, torch.inf).argmin())
    return given(raw, start / RATE, (start + length - 1) / RATE)


def given(raw: RawRecording, start: float, stop: float) -> Held:
    """The T-pose from ``start`` to ``stop`` seconds after the first sample; moving or lost devices raise InputError."""
    if not (start >= 0 and start + SHORTEST_S <= stop <= raw.seconds + 1 / RATE):
        raise InputError(
            f"tpose: got {start:g} to {stop:g} s, expected at least {SHORTEST_S:g} s within the recording's "
            f"{raw.seconds:.2f} s."
        )
    times = raw.times - raw.times[0]
    during = (times >= start - 1e-9) & (times <= stop + 1e-9) & raw.tracked.all(1)
    if int(during.sum()) < 5:
        raise InputError(f"{raw.source}: devices were lost during the T-pose ({start:.2f} to {stop:.2f} s).")
    positions, rotations = raw.positions[during], raw.rotations[during]
    at, turn = positions.mean(0), roma.special_procrustes(rotations.mean(0))
    wander = (positions - at).square().sum(-1).mean(0).sqrt()
    turning = roma.rotmat_geodesic_distance(rotations, turn.expand_as(rotations)).square().mean(0).sqrt()
    for d, name in enumerate(axes.DEVICES):
        if wander[d] > STILL_M or turning[d] > STILL_RAD:
            raise InputError(
                f"{raw.source}: {name} moved during the T-pose ({start:.2f} to {stop:.2f} s) by {100 * wander[d]:.1f} cm "
                f"and {torch.rad2deg(turning[d]):.0f} degrees; hold still for a second."
            )
    return Held(start, stop, at, turn)


def _shape(even: RawRecording) -> tuple[Tensor, Tensor]:
    """How far apart the hands are (T,), m, and whether (T,) hands and head are as in a T-pose, whatever is up."""
    head, left, right = even.positions.unbind(1)
    line = left - right
    hand_distance = torch.where(even.tracked[:, 1:].all(1), line.norm(dim=-1), 0.0)
    along = normalize(line, dim=-1)
    aside = head - (left + right) / 2
    off = (aside * along).sum(-1)
    beside = (aside - off[:, None] * along).norm(dim=-1)
    wide = (hand_distance > WIDEST_SHARE * hand_distance.max()) & (hand_distance > LEAST_SPREAD_M)
    return hand_distance, wide & (off.abs() < 0.15 * hand_distance) & (beside > 0.05 * hand_distance) & (
        beside < 0.4 * hand_distance
    )


def _wander(positions: Tensor, length: int) -> Tensor:
    """Positions (T, 3, 3) -> over windows of ``length`` frames (T - length + 1,) the largest device's wander, m."""
    windows = positions.unfold(0, length, 1)
    return windows.var(-1, unbiased=False).sum(-1).sqrt().amax(1)


class Fit(NamedTuple):
    """How a T-pose looks: radians that up is off (positions, headset), the headset's heading against the hands' line,
    how much controllers point out and ahead (-1 to 1), and how far the headset is ahead of the hands (m)."""

    positions_up: float
    headset_up: float
    yaw: float
    point: float
    ahead: float

    @property
    def good(self) -> bool:
        return (
            max(self.positions_up, self.headset_up) < TILT
            and self.yaw < YAW
            and self.point > 0
            and self.ahead > -BEHIND_M
        )

    @property
    def misfit(self) -> float:
        """Smaller is better."""
        return self.positions_up + self.headset_up + self.yaw - self.point - 3 * min(self.ahead, 0.0)


def facing(positions: Tensor) -> Tensor:
    """The heading () of a T-pose from the line (left hand minus right) of its devices' positions (3, 3)."""
    line = positions[1] - positions[2]
    return torch.atan2(line[1], line[0])


def look(positions: Tensor, rotations: Tensor) -> Fit:
    """What a T-pose of positions (3, 3) and rotations (3, 3, 3) looks like in our axes."""
    along = normalize(positions[1] - positions[2], dim=0)
    aside = positions[0] - (positions[1] + positions[2]) / 2
    above = normalize(aside - (aside @ along) * along, dim=0)
    yaw = facing(positions)
    body = about_vertical(yaw) @ upright(positions)
    out, ahead = body[:, 0], body[:, 2]
    # Aim poses point outwards, grip poses ahead; either way the sum is positive where axes are right.
    front = rotations[1:, :, 2]
    point = (front[0] @ (out + ahead) + front[1] @ (ahead - out)) / 8**0.5
    turn = heading(rotations[0]) - yaw
    return Fit(
        float(torch.acos(above[2].clamp(-1, 1))), float(torch.acos(rotations[0, 2, 1].clamp(-1, 1))),
        float(torch.atan2(turn.sin(), turn.cos()).abs()), float(point), float(aside @ ahead),
    )  # fmt: skip


def _world(signs: tuple) -> Tensor:
    """Mirroring in the y-up frame of ``axes.FLIPS``, as our z-up world sees it (3, 3)."""
    up = torch.tensor(UPRIGHT, dtype=torch.float64)
    return up @ torch.diag(torch.tensor(signs, dtype=torch.float64)) @ up.mT


def _tipped(positions: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
    """As if a file with z up had been read as one with y up, the world alone."""
    tip = positions.new_tensor(((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
    return positions @ tip, tip.mT @ rotations


def _mirrored(signs: tuple, both: tuple[bool, bool]):
    """What undoes a mirror in positions, rotations or both."""

    def undone(positions: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
        mirror, local = _world(signs), torch.tensor(signs, dtype=torch.float64)
        turned = mirror @ rotations * local if both[1] else rotations
        return (positions @ mirror.mT if both[0] else positions), turned

    return undone


CAUSES = {
    "the left and right controllers are swapped; hold them in the right hands or exchange their columns": (
        lambda positions, rotations: (positions[[0, 2, 1]], rotations[[0, 2, 1]])
    ),
    "its axes are mirrored: left-handed coordinates (Unity) read as right-handed ones, or the other way round": (
        _mirrored((1.0, 1.0, -1.0), (True, True))
    ),
    "its positions are mirrored from left to right but its rotations are not; convert both": (
        _mirrored((-1.0, 1.0, 1.0), (True, False))
    ),
    "its positions are mirrored from front to back but its rotations are not; convert both": (
        _mirrored((1.0, 1.0, -1.0), (True, False))
    ),
    "its rotations are mirrored but its positions are not; convert both": _mirrored(
        (1.0, 1.0, -1.0), (False, True)
    ),
    "another axis than y is up in it (z, it seems); convert it to y up": _tipped,
}
"""What most likely went wrong -> what undoes it."""


def verify(pose: Held, source: str = "recording") -> None:
    """Raise InputError, with the likely cause, where a T-pose cannot be one in our axes."""
    positions, rotations = pose.positions.double(), pose.rotations.double()
    said = look(positions, rotations)
    if said.good:
        return
    others = {cause: look(*undo(positions, rotations)) for cause, undo in CAUSES.items()}
    likely = {cause: fit for cause, fit in others.items() if fit.good}
    cause = min(likely, key=lambda cause: likely[cause].misfit) if likely else _plainly(said)
    raise InputError(
        f"{source}: in its T-pose ({pose.start:.2f} to {pose.stop:.2f} s) {_seen(said)}; likely {cause}."
    )


def _seen(fit: Fit) -> str:
    """In words what is most wrong."""
    if fit.positions_up >= TILT:
        return "the headset is not above the line between the hands"
    if fit.headset_up >= TILT:
        return "the headset's top does not point up"
    if fit.yaw > torch.pi - YAW:
        return "the left controller is at the right hand of where the headset looks"
    if fit.yaw >= YAW:
        return "the headset looks along the arms"
    if fit.point <= 0:
        return "the controllers point inwards and back"
    return f"the hands are {-100 * fit.ahead:.0f} cm ahead of the headset (unless the arms were not straight out)"


def _plainly(fit: Fit) -> str:
    if fit.positions_up >= TILT:
        return "another axis than y is up in it; convert it to y up"
    return "its quaternions are in another order than x, y, z, w, or it was no T-pose looking ahead"
