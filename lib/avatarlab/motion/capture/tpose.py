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
    """The T-pose of a recording: from ``start`` to ``stop`` s, mean places (3, 3) m and rotations (3, 3, 3)."""

    start: float
    stop: float
    places: Tensor
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
    spread, shaped = _shape(even)
    still = _wander(even.places, length)
    stands = even.tracked.all(1) & shaped
    whole = stands.double().unfold(0, length, 1).amin(1) > 0
    if not bool(whole.any()):
        raise InputError(
            f"{raw.source}: no second in T-pose; the hands were {float(spread.max()):.2f} m apart at most. Stand "
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
    places, rotations = raw.places[during], raw.rotations[during]
    at, turn = places.mean(0), roma.special_procrustes(rotations.mean(0))
    wander = (places - at).square().sum(-1).mean(0).sqrt()
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
    head, left, right = even.places.unbind(1)
    line = left - right
    spread = torch.where(even.tracked[:, 1:].all(1), line.norm(dim=-1), 0.0)
    along = normalize(line, dim=-1)
    aside = head - (left + right) / 2
    off = (aside * along).sum(-1)
    beside = (aside - off[:, None] * along).norm(dim=-1)
    wide = (spread > WIDEST_SHARE * spread.max()) & (spread > LEAST_SPREAD_M)
    return spread, wide & (off.abs() < 0.15 * spread) & (beside > 0.05 * spread) & (beside < 0.4 * spread)


def _wander(places: Tensor, length: int) -> Tensor:
    """Places (T, 3, 3) -> over windows of ``length`` frames (T - length + 1,) the largest device's wander, m."""
    windows = places.unfold(0, length, 1)
    return windows.var(-1, unbiased=False).sum(-1).sqrt().amax(1)


class Fit(NamedTuple):
    """How a T-pose looks: radians that up is off (places, headset), the headset's heading against the hands' line,
    how much controllers point out and ahead (-1 to 1), and how far the headset is ahead of the hands (m)."""

    places_up: float
    headset_up: float
    yaw: float
    point: float
    ahead: float

    @property
    def good(self) -> bool:
        return (
            max(self.places_up, self.headset_up) < TILT
            and self.yaw < YAW
            and self.point > 0
            and self.ahead > -BEHIND_M
        )

    @property
    def misfit(self) -> float:
        """Smaller is better."""
        return self.places_up + self.headset_up + self.yaw - self.point - 3 * min(self.ahead, 0.0)


def facing(places: Tensor) -> Tensor:
    """The heading () of a T-pose from the line (left hand minus right) of its devices' places (3, 3)."""
    line = places[1] - places[2]
    return torch.atan2(line[1], line[0])


def look(places: Tensor, rotations: Tensor) -> Fit:
    """What a T-pose of places (3, 3) and rotations (3, 3, 3) looks like in our axes."""
    along = normalize(places[1] - places[2], dim=0)
    aside = places[0] - (places[1] + places[2]) / 2
    above = normalize(aside - (aside @ along) * along, dim=0)
    yaw = facing(places)
    body = about_vertical(yaw) @ upright(places)
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


def _tipped(places: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
    """As if a file with z up had been read as one with y up, the world alone."""
    tip = places.new_tensor(((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
    return places @ tip, tip.mT @ rotations


def _mirrored(signs: tuple, both: tuple[bool, bool]):
    """What undoes a mirror in places, rotations or both."""

    def undone(places: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
        mirror, local = _world(signs), torch.tensor(signs, dtype=torch.float64)
        turned = mirror @ rotations * local if both[1] else rotations
        return (places @ mirror.mT if both[0] else places), turned

    return undone


CAUSES = {
    "the left and right controllers are swapped; hold them in the right hands or exchange their columns": (
        lambda places, rotations: (places[[0, 2, 1]], rotations[[0, 2, 1]])
    ),
    "its axes are mirrored: left-handed coordinates (Unity) read as right-handed ones, or the other way round": (
        _mirrored((1.0, 1.0, -1.0), (True, True))
    ),
    "its places are mirrored from left to right but its rotations are not; convert both": (
        _mirrored((-1.0, 1.0, 1.0), (True, False))
    ),
    "its places are mirrored from front to back but its rotations are not; convert both": (
        _mirrored((1.0, 1.0, -1.0), (True, False))
    ),
    "its rotations are mirrored but its places are not; convert both": _mirrored((1.0, 1.0, -1.0), (False, True)),
    "another axis than y is up in it (z, it seems); convert it to y up": _tipped,
}
"""What most likely went wrong -> what undoes it."""


def verify(pose: Held, source: str = "recording") -> None:
    """Raise InputError, with the likely cause, where a T-pose cannot be one in our axes."""
    places, rotations = pose.places.double(), pose.rotations.double()
    said = look(places, rotations)
    if said.good:
        return
    others = {cause: look(*undo(places, rotations)) for cause, undo in CAUSES.items()}
    likely = {cause: fit for cause, fit in others.items() if fit.good}
    cause = min(likely, key=lambda cause: likely[cause].misfit) if likely else _plainly(said)
    raise InputError(
        f"{source}: in its T-pose ({pose.start:.2f} to {pose.stop:.2f} s) {_seen(said)}; likely {cause}."
    )


def _seen(fit: Fit) -> str:
    """In words what is most wrong."""
    if fit.places_up >= TILT:
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
    if fit.places_up >= TILT:
        return "another axis than y is up in it; convert it to y up"
    return "its quaternions are in another order than x, y, z, w, or it was no T-pose looking ahead"
