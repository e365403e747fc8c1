"""What a real headset and two controllers would have said of a motion that is known: offsets, noise, timing, losses.

In front of the motion stands a person in T-pose, who then passes over into its first frame; so a recording made here
can be calibrated, and the error that is left after that is known.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.motion.capture.axes import DEVICES, HELD
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.data.resampling import positions_at, rotations_at
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, heading, upright
from avatarlab.motion.skeleton import DEVICES as JOINTS
from avatarlab.motion.trackers import RATE

GRIP_M = ((0.0, 0.03, 0.09), (0.0, 0.03, 0.09))
"""Where the hands hold the controllers, from the wrists: 9 cm further out, 3 cm ahead, in the device's axes in T-pose."""


@dataclass(frozen=True)
class SimulatedRig:
    """The user and the devices that are simulated; lengths of the user's own size, angles in degrees.

    ``eyes_off_m`` (3,): headset from the point between the eyes, in x left, y up, z ahead of the head. ``tilt_deg``:
    rotation vectors (3, 3) by which the devices are turned against ``axes.HELD``. ``lost``: (device, start s, stop s).
    The room: its floor's height, where and with which heading the user begins. Noise is white, per sample.
    """

    stature_m: float | None = None
    eyes_off_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grip_m: tuple = GRIP_M
    tilt_deg: tuple = ((8.0, 0.0, 0.0), (-20.0, 5.0, 10.0), (-15.0, -8.0, -5.0))
    place_mm: float = 0.5
    turn_deg: float = 0.2
    rate_hz: float = 72.0
    jitter_ms: float = 1.0
    lost: tuple[tuple[str, float, float], ...] = ()
    floor_m: float = 0.0
    heading_deg: float = 0.0
    origin_m: tuple[float, float] = (0.0, 0.0)
    tpose_s: float = 1.5
    blend_s: float = 1.0
    seed: int = field(default=7)


class Simulated(NamedTuple):
    """A recording, and the truth (figure's size, T-pose looking along -y at the origin) at 60 Hz from its first sample."""

    raw: RawRecording
    truth: Motion
    begins: int
    """The frame of the truth at which the motion itself begins."""


def simulated(
    motion: Motion, figure: Figure, rig: SimulatedRig | None = None, name: str = "simulated"
) -> Simulated:
    """Devices' recording of a motion (T, 22, ...) of the figure at 60 Hz; equal arguments give equal bytes."""
    rig = rig or SimulatedRig()
    truth, begins = led_in(motion, figure, rig)
    generator = torch.Generator().manual_seed(rig.seed)
    times = _times(len(truth.trans), rig, generator)
    world, positions = figure.skeleton.fk(*truth)
    turns, at = _moments(world[:, list(JOINTS)].double(), positions[:, list(JOINTS)].double(), times)
    scale = 1.0 if rig.stature_m is None else rig.stature_m / figure.stature
    hung, shifts = worn(figure, rig, scale)
    rotations, at = turns @ hung, scale * at + (turns @ shifts[..., None])[..., 0]
    room = about_vertical(torch.deg2rad(at.new_tensor(rig.heading_deg)))
    rotations, at = room @ rotations, at @ room.mT + at.new_tensor((*rig.origin_m, rig.floor_m))
    at = at + rig.place_mm / 1000 * torch.randn(at.shape, generator=generator, dtype=at.dtype)
    shaken = torch.randn(at.shape, generator=generator, dtype=at.dtype) * torch.pi / 180 * rig.turn_deg
    rotations = rotations @ roma.rotvec_to_rotmat(shaken)
    return Simulated(RawRecording(times, at, rotations, _tracked(times, rig), name), truth, begins)


def worn(figure: Figure, rig: SimulatedRig, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Each device in the axes of its joint: rotations (3, 3, 3), and positions (3, 3) m of a user ``scale`` x the figure."""
    hung = torch.tensor(HELD, dtype=torch.float64)
    tilt = roma.rotvec_to_rotmat(torch.deg2rad(torch.tensor(rig.tilt_deg, dtype=torch.float64)))
    joints, eyes = figure.seen()
    up = upright(eyes)
    seen = up.mT @ (eyes - joints[0]) * scale + eyes.new_tensor(rig.eyes_off_m)
    held = [turn @ eyes.new_tensor(grip) for turn, grip in zip(hung[1:], rig.grip_m, strict=True)]
    return hung @ tilt, torch.stack([seen, *held])


def led_in(motion: Motion, figure: Figure, rig: SimulatedRig) -> tuple[Motion, int]:
    """The motion, moved to the origin and looking along -y at its begin, with T-pose and passage before; where it begins."""
    moved = _homed(motion, figure)
    still, passed = round(rig.tpose_s * RATE), round(rig.blend_s * RATE)
    pose = upright(moved.trans).expand(1, 1, 3, 3), torch.eye(3).to(moved.trans).expand(1, 21, 3, 3)
    standing = torch.cat(pose, 1)
    place = (figure.standing()[0] - figure.rest[0]).to(moved.trans)[None]
    share = torch.arange(1, passed + 1).to(moved.trans) / (passed + 1)
    share = share * share * (3 - 2 * share)
    turn = roma.rotmat_to_rotvec(standing.mT @ moved.rotations[:1])
    between = standing @ roma.rotvec_to_rotmat(share[:, None, None] * turn)
    trans = torch.lerp(place, moved.trans[:1], share[:, None])
    rotations = torch.cat([standing.expand(still, -1, -1, -1), between, moved.rotations])
    return Motion(rotations, torch.cat([place.expand(still, 3), trans, moved.trans])), still + passed


def _homed(motion: Motion, figure: Figure) -> Motion:
    """The motion turned about the vertical and moved along the floor so that it begins where the T-pose stands."""
    turn = about_vertical(-heading(motion.rotations[0, 0]))
    rest = figure.rest[0].to(motion.trans)
    pelvis = (rest + motion.trans) @ turn.mT
    goal = figure.standing()[0].to(pelvis)
    pelvis = pelvis + (goal - pelvis[0]) * pelvis.new_tensor((1.0, 1.0, 0.0))
    rotations = torch.cat([turn @ motion.rotations[:, :1], motion.rotations[:, 1:]], 1)
    return Motion(rotations, pelvis - rest)


def _times(frames: int, rig: SimulatedRig, generator) -> Tensor:
    """Sample times (N,) s within ``frames`` at 60 Hz, the first 0, with jitter that does not add up."""
    count = int((frames - 1) / RATE * rig.rate_hz)
    if count < 2:
        raise InputError(f"motion: got {frames} frames, too short to be recorded at {rig.rate_hz:g} Hz.")
    late = torch.randn(count, generator=generator, dtype=torch.float64) * rig.jitter_ms / 1000
    late = late.clamp(-0.4 / rig.rate_hz, 0.4 / rig.rate_hz)
    times = torch.arange(count, dtype=torch.float64) / rig.rate_hz + late
    return torch.cat([times.new_zeros(1), times[1:]])


def _moments(world: Tensor, positions: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations (T, 3, 3, 3) and positions (T, 3, 3) at 60 Hz -> at ``times`` (N,) s, on the cubics of ``resampling``."""
    frames = times.numpy() * RATE
    return torch.tensor(rotations_at(world.numpy(), frames)), torch.tensor(positions_at(positions.numpy(), frames))


def _tracked(times: Tensor, rig: SimulatedRig) -> Tensor:
    tracked = torch.ones(len(times), 3, dtype=torch.bool)
    for name, start, stop in rig.lost:
        if name not in DEVICES:
            raise InputError(f"lost: got the device {name!r}, expected one of {', '.join(DEVICES)}.")
        tracked[(times >= start) & (times < stop), DEVICES.index(name)] = False
    return tracked
