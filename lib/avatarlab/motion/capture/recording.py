"""``RawRecording``: what headset and controllers said, at the times at which they said it; and its resampling."""

from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect
from avatarlab.motion.capture.axes import DEVICES
from avatarlab.motion.trackers import RATE, Trackers

LONGEST_GAP_S = 0.1
"""Between samples of a device further apart than this it counts as lost."""
LOWEST_RATE, HIGHEST_RATE = 20.0, 2000.0
"""Samples a second below which no hand can be followed, and above which the times cannot be seconds."""
HIGHEST_M = 20.0
"""Nobody's headset is this far from the origin of the room, in metres; in millimetres everybody's is."""


@dataclass(frozen=True)
class RawRecording:
    """N samples of headset, left and right controller in our axes (see ``axes``), before calibration.

    times (N,) s, growing; positions (N, 3, 3) m; rotations (N, 3, 3, 3); tracked (N, 3), False where a device was lost
    (its numbers mean nothing there but are finite); ``source`` says what it was read from. Times that do not grow,
    NaN, a rate out of range, positions that cannot be metres and a headset that is never tracked raise InputError.
    """

    times: Tensor
    positions: Tensor
    rotations: Tensor
    tracked: Tensor
    source: str = "recording"

    def __post_init__(self):
        expect("times", self.times, ("N",))
        sizes = {"N": len(self.times)}
        expect("positions", self.positions, ("N", 3, 3), **sizes)
        expect("rotations", self.rotations, ("N", 3, 3, 3), **sizes)
        expect("tracked", self.tracked, ("N", 3), **sizes)
        for name in ("times", "positions", "rotations"):
            if not bool(torch.isfinite(getattr(self, name)).all()):
                raise InputError(f"{self.source}: got NaN or infinite numbers in its {name}; cut those lines.")
        self._check_times()
        self._check_units()

    def _check_times(self) -> None:
        if len(self.times) < 2:
            raise InputError(
                f"{self.source}: got {len(self.times)} samples, expected at least 2; was it cut short?"
            )
        wrong = (self.times.diff() <= 0).nonzero()
        if len(wrong):
            n = int(wrong[0]) + 1
            raise InputError(
                f"{self.source}: sample {n + 1} has time {float(self.times[n]):.6g} s, not later than the one before; "
                "sort by time and drop repeated samples."
            )
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise InputError(
                f"{self.source}: got {self.rate:.3g} samples a second, expected {LOWEST_RATE:g} to {HIGHEST_RATE:g}; "
                "are its times in seconds?"
            )

    def _check_units(self) -> None:
        for d, name in enumerate(DEVICES):
            seen = self.positions[self.tracked[:, d], d]
            far = float(seen.norm(dim=-1).median()) if len(seen) else 0.0
            if far > HIGHEST_M:
                unit = "millimetres" if far > 500 else "centimetres"
                raise InputError(
                    f"{self.source}: {name} is {far:.0f} m from the origin on the median, expected metres, below "
                    f"{HIGHEST_M:g}; are they {unit}?"
                )
        if not bool(self.tracked[:, 0].any()):
            raise InputError(
                f"{self.source}: the headset is tracked in no sample; without a head there is no body."
            )

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float:
        """Samples a second, from the median step."""
        return 1 / float(self.times.diff().median())

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return float(self.times[-1] - self.times[0])

    def at(self, times: Tensor) -> "RawRecording":
        """The devices at other times (M,) s inside the recording: positions on straight lines, rotations by slerp.

        A device is tracked between two tracked samples that are at most LONGEST_GAP_S apart; elsewhere it is lost and
        stays as last seen (before its first sample: as first seen).
        """
        parts = [self._device(d, times) for d in range(len(DEVICES))]
        positions, rotations, tracked = (torch.stack(part, 1) for part in zip(*parts, strict=True))
        return RawRecording(times, positions, rotations, tracked, self.source)

    def resampled(self, rate: float = RATE) -> "RawRecording":
        """At an even ``rate`` in Hz from the first sample on; see ``at``."""
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise InputError(f"rate: got {rate!r}, expected {LOWEST_RATE:g} to {HIGHEST_RATE:g} (Hz).")
        count = int(self.seconds * rate + 1e-6) + 1
        return self.at(self.times[0] + torch.arange(count, dtype=torch.float64) / rate)

    def _device(self, d: int, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Positions (M, 3), rotations (M, 3, 3), tracked (M,) of one device."""
        seen = self.tracked[:, d].nonzero()[:, 0]
        if not len(seen):
            still = torch.zeros(len(times), dtype=torch.long)
            return self.positions[still, d], self.rotations[still, d], torch.zeros(len(times), dtype=torch.bool)
        known = self.times[seen]
        after = torch.searchsorted(known, times).clamp(max=len(known) - 1)
        # A time that meets a sample, but for rounding, is that sample, whatever gap follows.
        after = torch.where((after > 0) & (times - known[(after - 1).clamp(min=0)] < 1e-9), after - 1, after)
        meets = (known[after] - times).abs() < 1e-9
        before = torch.where(meets, after, (after - 1).clamp(min=0))
        step = known[after] - known[before]
        inside = (times >= known[before] - 1e-9) & (times <= known[after] + 1e-9) & (step <= LONGEST_GAP_S)
        unbroken = seen[after] - seen[before] <= 1
        tracked = inside & unbroken
        share = torch.where(tracked & (step > 0), (times - known[before]) / step.clamp(min=1e-12), 0.0)
        held = torch.where(
            times < known[0], torch.zeros_like(before), torch.where(times >= known[after], after, before)
        )
        first, last = seen[torch.where(tracked, before, held)], seen[torch.where(tracked, after, held)]
        positions = torch.lerp(self.positions[first, d], self.positions[last, d], share[:, None])
        turn = roma.rotmat_to_rotvec(self.rotations[first, d].mT @ self.rotations[last, d])
        return positions, self.rotations[first, d] @ roma.rotvec_to_rotmat(share[:, None] * turn), tracked


def trackers(recording: RawRecording) -> Trackers:
    """A recording that is at 60 Hz and calibrated as ``Trackers``."""
    return Trackers(recording.rotations.float(), recording.positions.float(), recording.tracked)
