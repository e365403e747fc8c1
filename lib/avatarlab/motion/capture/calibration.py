"""``Calibration``: from where headset and controllers are to where head and wrists are, from one second in T-pose.

A headset is not the head joint and a controller is not the wrist: each is shifted and turned against its joint by a
constant amount that depends on person, device and grip. One second in T-pose (upright, both arms straight out, palms
down, looking ahead) shows these offsets, if it is known where the joints are then. That is what is assumed:

- heading: square to the line from the right to the left controller;
- size: the user is the model's figure, scaled by ``stature_m``; without a stature, by the headset's height above the
  floor, since headsets report the point between the eyes;
- floor: ``floor_m`` (the room's own zero is what OpenXR's stage space and Quest report); if None and a stature is
  given, it is found where it has to be for the eyes to be at the headset's height;
- where the user stands: the headset is in the middle of the body and as far ahead of it as the figure's eyes.

What follows from the second alone: all three offsets of both controllers, and of the headset its height (where stature
and floor are both given) and all turns. Limits: an arm that is longer than the scaled figure's goes into the
controller's offset, so that the T-pose fits but a bent arm is off by a part of it; a headset further ahead of the eyes
than assumed shifts the body by that much.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from avatarlab.core.errors import InputError, number
from avatarlab.core.files import write_json
from avatarlab.core.shapes import expect
from avatarlab.motion.capture import handedness, recording, tpose
from avatarlab.motion.capture.axes import DEVICES
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, upright
from avatarlab.motion.trackers import Trackers

SCHEMA = "avatarlab.calibration/1"
SMALLEST, LARGEST = 0.5, 1.4
"""User over figure: a child of 0.85 m, somebody of 2.4 m."""
FARTHEST_M = (0.25, 0.35, 0.35)
"""Longest offsets of headset and controllers that can be believed."""
SQUAT_M = 0.2
"""How far a headset may be from where a given stature has its eyes."""


@dataclass(frozen=True)
class Calibration:
    """Constant offsets of three devices, and the room as the models want it.

    offsets (3, 3) m: from device to joint in the device's axes; turns (3, 3, 3): the joint's rotation is the device's
    times it; ``scale``: user over figure; ``floor_m``: height of the floor; ``heading_rad`` and ``origin`` (2,) m:
    where the user looked and stood in T-pose, from ``start_s`` to ``stop_s`` of the recording.
    """

    offsets: Tensor
    turns: Tensor
    scale: float
    floor_m: float
    heading_rad: float
    origin: Tensor
    start_s: float = 0.0
    stop_s: float = 0.0

    def __post_init__(self):
        expect("offsets", self.offsets, (3, 3))
        expect("turns", self.turns, (3, 3, 3))
        expect("origin", self.origin, (2,))
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"scale: got {self.scale!r}, expected a positive number (user over figure).")

    def joints(self, rotations: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Devices' rotations (..., 3, 3, 3), positions (..., 3, 3) m in the room -> head's and wrists', as models want them.

        There the user of the T-pose looks along -y, stands at the origin on z = 0 and is as tall as the figure.
        """
        at = positions + (rotations @ self.offsets.to(positions)[..., None])[..., 0]
        back = about_vertical(-positions.new_tensor(self.heading_rad))
        at = (at - self._ground(positions)) @ back.mT / self.scale
        return back @ rotations @ self.turns.to(rotations), at

    def apply(self, raw: RawRecording) -> Trackers:
        """A recording, resampled to 60 Hz -> Trackers of head, left and right wrist."""
        even = raw.resampled()
        rotations, positions = self.joints(even.rotations, even.positions)
        return recording.trackers(RawRecording(even.times, positions, rotations, even.tracked, raw.source))

    def back(self, motion: Motion, figure: Figure) -> Motion:
        """A motion of the figure -> in the room and at the size of the user, whose joints at rest are scale x rest."""
        turn = about_vertical(motion.trans.new_tensor(self.heading_rad))
        rest = figure.rest[0].to(motion.trans)
        pelvis = self.scale * (rest + motion.trans) @ turn.mT + self._ground(motion.trans)
        root = turn @ motion.rotations[..., :1, :, :]
        rotations = torch.cat([root, motion.rotations[..., 1:, :, :]], -3)
        return Motion(rotations, pelvis - self.scale * rest)

    def _ground(self, like: Tensor) -> Tensor:
        return torch.cat([self.origin.to(like), like.new_tensor([self.floor_m])])

    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {name: x.tolist() if isinstance(x, Tensor) else float(x) for name, x in values.items()}
        write_json(path, {"schema": SCHEMA, **plain})

    @classmethod
    def load(cls, path: str | Path) -> "Calibration":
        """Read what ``save`` wrote; anything else raises InputError."""
        try:
            said = json.loads(Path(path).read_text(encoding="utf-8"))
            if said.pop("schema") != SCHEMA:
                raise KeyError("schema")
            arrays = {
                name: torch.tensor(said.pop(name), dtype=torch.float64) for name in ("offsets", "turns", "origin")
            }
            return cls(**arrays, **{name: float(x) for name, x in said.items()})
        except FileNotFoundError:
            raise InputError(f"{path}: no such file.") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: no calibration ({SCHEMA}) that can be read ({error}).") from None


def calibrated(
    raw: RawRecording, figure: Figure, stature_m: float | None = None, floor_m: float | None = None,
    span: tuple[float, float] | None = None,
) -> Calibration:  # fmt: skip
    """The calibration of a recording from its second in T-pose, from ``span`` = (start, stop) s or found in it.

    What is assumed is in the module's text; ``floor_m`` is 0 if neither it nor a stature is given. Swapped hands,
    mirrored axes, a wrong up axis, a wrong stature or floor raise InputError with the likely cause.
    """
    pose = tpose.found(raw) if span is None else tpose.given(raw, *span)
    tpose.verify(pose, raw.source)
    handedness.verify(raw)
    joints, eyes = figure.seen()
    positions, rotations = pose.positions.double(), pose.rotations.double()
    scale, floor = _size(raw.source, float(positions[0, 2]), float(eyes[2]), figure.stature, stature_m, floor_m)
    yaw = tpose.facing(positions)
    turn = about_vertical(yaw)
    origin = positions[0] - turn @ (scale * eyes)
    origin = torch.stack([origin[0], origin[1], origin.new_tensor(floor)])
    target_positions = origin + scale * joints @ turn.mT
    offsets = (rotations.mT @ (target_positions - positions)[..., None])[..., 0]
    _believe(raw.source, offsets)
    turns = rotations.mT @ (turn @ upright(turn))
    return Calibration(offsets, turns, scale, floor, float(yaw), origin[:2], pose.start, pose.stop)


def _size(source: str, high: float, eyes: float, whole: float, stature, floor) -> tuple[float, float]:
    """Scale and floor from the headset's height ``high``, of the figure's ``eyes`` and ``whole`` height; m."""
    if stature is None:
        floor = 0.0 if floor is None else float(floor)
        scale = (high - floor) / eyes
        hint = "is the room's floor set? give stature_m, or floor_m"
    else:
        scale = number("stature_m", stature, 0.5, 2.6, "metres", "Did you pass centimetres?") / whole
        floor = high - scale * eyes if floor is None else float(floor)
        hint = "is stature_m right?"
    if not SMALLEST <= scale <= LARGEST:
        raise InputError(
            f"{source}: the headset is {high - floor:.2f} m above the floor in T-pose, which makes the user "
            f"{scale * whole:.2f} m tall; {hint}."
        )
    if abs(high - floor - scale * eyes) > SQUAT_M:
        raise InputError(
            f"{source}: the headset is {high - floor:.2f} m above the floor in T-pose, expected about "
            f"{scale * eyes:.2f} m at that stature; stand upright, or leave floor_m out to have the floor found."
        )
    return scale, floor


def _believe(source: str, offsets: Tensor) -> None:
    """Raise InputError for offsets that are too long."""
    for name, offset, far in zip(DEVICES, offsets, FARTHEST_M, strict=True):
        if offset.norm() > far:
            raise InputError(
                f"{source}: {name} is {100 * offset.norm():.0f} cm from its joint in T-pose, expected at most "
                f"{100 * far:.0f} cm; are the arms straight out, and are stature_m and floor_m right?"
            )
