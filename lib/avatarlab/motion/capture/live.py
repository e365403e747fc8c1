"""A session as it happens: push what the devices say when they say it, get poses at 60 Hz, and how long each took."""

import time
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.motion.capture.calibration import Calibration
from avatarlab.motion.capture.recording import LONGEST_GAP_S, RawRecording
from avatarlab.motion.predictor import Motion, Predictor
from avatarlab.motion.trackers import RATE, Trackers


class LivePose(NamedTuple):
    """One pose: its moment in s of the devices' clock, the motion (T = 1), and what computing it took in ms."""

    time: float
    motion: Motion
    took_ms: float


class Live:
    """A stream of a predictor fed at any rate.

    Poses come at 60 Hz, the first at the first sample's time; each is computed as soon as the samples around its
    moment are there, so it is at most one sample old. A device is lost in a pose where one of both samples lost it or
    both are further apart than LONGEST_GAP_S.
    """

    def __init__(self, predictor: Predictor, calibration: Calibration):
        self.stream, self.calibration = predictor.stream(), calibration
        self.last, self.begin, self.said = None, None, 0

    def push(self, moment: float, rotations: Tensor, positions: Tensor, tracked: Tensor) -> list[LivePose]:
        """A sample in our axes (``capture.axes.into``): time s, rotations (3, 3, 3), positions (3, 3) m, tracked (3,).

        Returns the poses that it completes, none or more. A time that is not later than the last raises InputError.
        """
        now = (float(moment), rotations.double(), positions.double(), tracked)
        if self.last is None:
            self.last, self.begin = now, now[0]
        elif now[0] <= self.last[0]:
            raise InputError(
                f"time: got {now[0]:.6g} s, expected later than the last sample's {self.last[0]:.6g} s."
            )
        poses = []
        while (due := self.begin + self.said / RATE) <= now[0] + 1e-9:
            poses.append(self._pose(due, now))
            self.said += 1
        self.last = now
        return poses

    def _pose(self, due: float, now: tuple) -> LivePose:
        start = time.perf_counter()
        then, turns, positions, seen = self.last
        step = now[0] - then
        share = (due - then) / step if step > 0 else 0.0
        turn = roma.rotmat_to_rotvec(turns.mT @ now[1])
        turns, positions = turns @ roma.rotvec_to_rotmat(share * turn), torch.lerp(positions, now[2], share)
        seen = seen & now[3] & (step <= LONGEST_GAP_S)
        rotations, positions = self.calibration.joints(turns, positions)
        motion = self.stream.push(rotations.float(), positions.float(), seen)
        return LivePose(due, motion, 1000 * (time.perf_counter() - start))


def replayed(predictor: Predictor, calibration: Calibration, raw: RawRecording) -> tuple[Motion, list[float]]:
    """A recording pushed sample by sample: the motion at 60 Hz, and each pose's milliseconds."""
    live = Live(predictor, calibration)
    frames = zip(raw.times.tolist(), raw.rotations, raw.positions, raw.tracked, strict=True)
    poses = [pose for frame in frames for pose in live.push(*frame)]
    parts = zip(*(pose.motion for pose in poses), strict=True)
    return Motion(*(torch.cat(part) for part in parts)), [pose.took_ms for pose in poses]


class Paced(NamedTuple):
    """What a session in real time was like: frames, those later than the next was due, milliseconds each."""

    frames: int
    late: int
    took_ms: list[float]


def paced(predictor: Predictor, trackers: Trackers, seconds: float, rate: float = RATE) -> Paced:
    """Stream ``trackers``, over and over, against the wall clock for ``seconds``; a frame is late after 1 / rate s."""
    stream, took, late = predictor.stream(), [], 0
    begin = time.perf_counter()
    for n in range(round(seconds * rate)):
        due = begin + n / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        start, k = time.perf_counter(), n % len(trackers)
        stream.push(trackers.rotations[k], trackers.positions[k], trackers.tracked[k])
        stop = time.perf_counter()
        took.append(1000 * (stop - start))
        late += stop > due + 1 / rate
    return Paced(len(took), late, took)
