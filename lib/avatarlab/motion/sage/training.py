"""Training the stratified model part by part: codebooks, diffusions, decoder, refiner."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from avatarlab.lab.training import Schedule, train
from avatarlab.motion.library import Library
from avatarlab.motion.sage.lessons import (
    CodebookLesson,
    DecoderLesson,
    DenoiserLesson,
    Lesson,
    RefinerLesson,
    latents,
    shown,
)
from avatarlab.motion.sage.model import Sage
from avatarlab.motion.sage.settings import Settings
from avatarlab.motion.sage.streams import Streams
from avatarlab.motion.windows import Windows

TellPart = Callable[[str, int, int, float], None]
"""Hears part, step, steps, loss."""
PARTS = ("upper_codebook", "lower_codebook", "upper_denoiser", "lower_denoiser", "decoder", "whole", "refiner")
"""In the order of their training; ``whole`` is decoder and denoisers together."""
MILLISECONDS = {"codebook": 2 * 60, "denoiser": 2 * 60, "decoder": 80, "whole": 130, "refiner": 80}
"""Of a step with batch 128 (16 streams) on one core of an AMD EPYC with AVX-512 in bfloat16; both parts together."""
MEASURED = 2048
"""Windows that say how large latents are."""


@dataclass(frozen=True)
class Plan:
    """Steps of each kind of part, and what all share. A part of 0 steps stays as it is.

    ``stretch``: frames of a stream that the refiner learns from at once, ``streams`` of them in a step.
    """

    codebook: int = 2000
    denoiser: int = 1000
    decoder: int = 300
    whole: int = 1500
    refiner: int = 600
    batch: int = 128
    streams: int = 16
    stretch: int = 120
    codebook_rate: float = 1e-3
    denoiser_rate: float = 1e-3
    decoder_rate: float = 1e-3
    whole_rate: float = 7e-4
    refiner_rate: float = 1e-3
    seed: int = 7
    bfloat16: bool = False
    device: str = "cpu"
    devices: int = 1
    checkpoint_every: int = 200

    def schedule(self, part: str) -> Schedule:
        """That of a part of PARTS."""
        kind = part.split("_")[-1]
        batch = self.streams if kind == "refiner" else self.batch
        shared = {key: getattr(self, key) for key in ("seed", "bfloat16", "device", "devices", "checkpoint_every")}
        return Schedule(getattr(self, kind), batch, getattr(self, f"{kind}_rate"), **shared)

    def minutes(self) -> float:
        """About how long one core takes with half precision, at a batch of MILLISECONDS' own size."""
        return sum(getattr(self, kind) * ms for kind, ms in MILLISECONDS.items()) / 60_000


@dataclass
class Course:
    """A model under training on some segments; ``folder`` keeps each part's checkpoints; ``run`` says what for."""

    model: Sage
    library: Library
    segments: Sequence[int]
    plan: Plan
    folder: Path
    tell: TellPart | None = None
    stop_after: int | None = None

    def __post_init__(self):
        self.windows = Windows(self.library, self.segments, self.model.settings.window + 1, self.plan.device)
        self.history: dict[str, list[dict]] = {}

    def take(self, part: str) -> None:
        """Train one part of PARTS."""
        schedule = self.plan.schedule(part)
        if not schedule.steps:
            return
        lesson = self._lesson(part, schedule)
        run = {"part": part, "plan": asdict(self.plan), "settings": self.model.settings.as_dict()}
        run |= {"frames": len(self.windows), "segments": len(self.segments), "before": fingerprint(self.model)}
        tell = self.tell and (lambda step, steps, loss: self.tell(part, step, steps, loss))
        self.history[part] = train(lesson, self.folder / part, run, tell, self.stop_after).history
        self.model.to("cpu").eval().requires_grad_(False)

    def _lesson(self, part: str, schedule: Schedule) -> Lesson:
        body, _, kind = part.partition("_")
        if kind == "codebook":
            return CodebookLesson(body, schedule, self.model, self.windows)
        if kind == "denoiser":
            self._measure(body)
            return DenoiserLesson(body, schedule, self.model, self.windows)
        if part == "refiner":
            return RefinerLesson(schedule, self.model, self._streams())
        return DecoderLesson(schedule, self.model, self.windows, whole=part == "whole")

    def _streams(self) -> Streams:
        model = self.model.to(self.plan.device)
        return Streams(model, self.windows, self.plan.stretch, self.plan.bfloat16)

    @torch.no_grad()
    def _measure(self, body: str) -> None:
        """Set the spread of a part's latents, once: a denoiser that has learned keeps its unit."""
        model = self.model.to(self.plan.device).eval()
        spread = getattr(model, f"{body}_denoiser").spread
        if float(spread) == 1.0:
            drawn = self.windows.draw(MEASURED, torch.Generator().manual_seed(self.plan.seed), mirror=False)
            spread.copy_(latents(model, body, *shown(drawn, model.settings)).std())


def fresh(settings: Settings, seed: int = 7) -> Sage:
    """A model that has learned nothing."""
    torch.manual_seed(seed)
    return Sage(settings)


def fingerprint(model: Sage) -> str:
    """A short text that says whether two models are the same."""
    sums = [float(x.double().sum()) + float(x.double().abs().sum()) for x in model.state_dict().values()]
    return " ".join(f"{part:.6f}" for part in (sum(sums), sum(k * s for k, s in enumerate(sums, 1))))


def finer(plan: Plan, share: float) -> Plan:
    """The plan with all learning rates times ``share``: to go on from a model that has learned."""
    rates = {key: share * value for key, value in asdict(plan).items() if key.endswith("_rate")}
    return replace(plan, **rates)
