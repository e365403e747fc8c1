"""How far a long step is: one line every few seconds, the same for trainings, fits and jobs side by side."""

import sys
import time
from collections.abc import Callable
from typing import TextIO


class ProgressLine:
    """Prints ``label: 40/200 (20 %), loss 0.31, 12 s left`` every ``every_s`` seconds and at the end of each part.

    Called after each step with ``(done, total)``, ``(done, total, loss)``, ``(part, done, total, loss)``, or with an
    object that has ``done`` and ``total``, and perhaps ``stage``, ``loss`` and ``seconds_left`` (an Outcome of
    core.parallel, a Progress of a fit). Lines go to ``file``, stderr if None: in a report they do not stay.
    """

    def __init__(
        self,
        label: str = "",
        every_s: float = 5.0,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.label, self.every_s, self.file, self.clock = label, every_s, file, clock
        self.last = self.printed = self.begun = clock()
        self.part, self.first, self.done = "", 0, 0

    def __call__(self, *step) -> None:
        part, done, total, loss, left = _read(step)
        now = self.clock()
        if part != self.part or done < self.done:
            self.begun, self.first = self.last, done - 1
        elif self.done == 0:
            self.first = done - 1
        self.part, self.done, self.last = part, done, now
        if now - self.printed < self.every_s and done != total:
            return
        self.printed = now
        if left is None:
            left = (now - self.begun) / (done - self.first) * (total - done)
        name = " ".join(filter(None, (self.label, part)))
        told = [f"{done}/{total} ({done / total:.0%})", *([f"loss {loss:.4g}"] if loss is not None else [])]
        line = (f"{name}: " if name else "") + ", ".join([*told, f"{left:.0f} s left"])
        print(line, file=self.file or sys.stderr, flush=True)


def _read(step: tuple) -> tuple[str, int, int, float | None, float | None]:
    """(part, done, total, loss, seconds left) of what a ProgressLine was called with."""
    if len(step) == 1:
        one = step[0]
        return "", one.done, one.total, getattr(one, "loss", None), getattr(one, "seconds_left", None)
    part, done, total, *loss = step if isinstance(step[0], str) else ("", *step)
    return part, done, total, loss[0] if loss else None, None
