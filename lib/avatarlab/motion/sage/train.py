"""Training the stratified model part by part, codebooks, diffusions, decoder, refiner: from a library to weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from avatarlab.core.errors import InputError
from avatarlab.learn import weights
from avatarlab.learn.trainer import Schedule, train
from avatarlab.motion.data.library import Library, weights_name
from avatarlab.motion.data.windows import Window, Windows
from avatarlab.motion.rotations import to_6d
from avatarlab.motion.sage.blocks import PoseNormaliser
from avatarlab.motion.sage.evaluate import codebook_figures, scored
from avatarlab.motion.sage.model import Codebooks, Sage
from avatarlab.motion.sage.pose_pca import reaches
from avatarlab.motion.sage.predict import SagePredictor
from avatarlab.motion.sage.rollouts import Rollouts
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.sage.training_modules import PARTS as PART_JOINTS
from avatarlab.motion.sage.training_modules import (
    CodebookTraining,
    DecoderTraining,
    DenoiserTraining,
    RefinerTraining,
    SageTraining,
    latents,
    shown,
)
from avatarlab.motion.skeleton import COUNT, Skeleton

OnPartStep = Callable[[str, int, int, float], None]
"""Hears part, step, steps, loss."""
PARTS = ("upper_codebook", "lower_codebook", "upper_denoiser", "lower_denoiser", "decoder", "whole", "refiner")
"""In the order of their training; ``whole`` is decoder and denoisers together."""
MILLISECONDS = {"codebook": 2 * 60, "denoiser": 2 * 45, "decoder": 70, "whole": 115, "refiner": 100}
"""Of a step with batch 64 (8 streams) on one core of an AMD EPYC with AVX-512 in bfloat16; both parts together."""
MEASURED = 2048
"""Windows that say how large latents are."""


@dataclass(frozen=True)
class Plan:
    """Steps of each kind of part, and what all share. A part of 0 steps stays as it is.

    ``watched``: windows that the principal movements are found in; ``stretch``: frames of a stream that the refiner
    learns from at once, ``streams`` of them in a step.
    """

    codebook: int = 2000
    denoiser: int = 1000
    decoder: int = 300
    whole: int = 1500
    refiner: int = 600
    batch: int = 64
    streams: int = 8
    stretch: int = 120
    watched: int = 16_384
    codebook_rate: float = 1e-3
    denoiser_rate: float = 1e-3
    decoder_rate: float = 1e-3
    whole_rate: float = 7e-4
    refiner_rate: float = 2e-3
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
        """About how long one core takes with half precision at the batch of MILLISECONDS."""
        return sum(getattr(self, kind) * ms for kind, ms in MILLISECONDS.items()) / 60_000


CODEBOOKS = "motion_codebooks"
"""The weights file of the codebooks; one for all splits, learned where nobody is tested."""
PUBLISHED = Plan(codebook=1500, denoiser=1200, decoder=100, whole=4400, refiner=1500)
"""What the weights under models/pretrained learned by, on `common`."""
ONWARD = Plan(
    codebook=0, denoiser=0, decoder=0, whole=1100, refiner=700, whole_rate=4e-4, refiner_rate=1e-3
)  # fmt: skip
"""What they learned by for each split, from those of `common`."""
KINDS = ("codebook", "denoiser", "decoder", "whole", "refiner")


@dataclass
class SageTrainer:
    """A model under training on some segments of a library; ``folder`` keeps each part's checkpoints.

    ``tell`` hears every step; after ``stop_after`` steps a part stops, to be resumed by an equal SageTrainer.
    """

    model: Sage
    codebooks: Codebooks
    library: Library
    segments: Sequence[int]
    plan: Plan
    folder: Path
    tell: OnPartStep | None = None
    stop_after: int | None = None

    def __post_init__(self):
        self.windows = Windows(self.library, self.segments, self.model.settings.window + 1, self.plan.device)
        self.history: dict[str, list[dict]] = {}

    def train_part(self, part: str) -> None:
        """Train one part of PARTS."""
        schedule = self.plan.schedule(part)
        if not schedule.steps:
            return
        module = self.training_module(part, schedule)
        run = {"part": part, "plan": asdict(self.plan), "settings": self.model.settings.as_dict()}
        run |= {
            "frames": len(self.windows),
            "segments": len(self.segments),
            "before": fingerprint(self.model, self.codebooks),
        }
        tell = self.tell and (lambda step, steps, loss: self.tell(part, step, steps, loss))
        self.history[part] = train(module, self.folder / part, run, tell, self.stop_after).history
        for network in (self.model, self.codebooks):
            network.to("cpu").eval().requires_grad_(False)

    def training_module(self, part: str, schedule: Schedule) -> SageTraining:
        """That of a part, what it starts from measured."""
        body, _, kind = part.partition("_")
        if kind == "codebook":
            self._measure_poses(getattr(self.codebooks, body).usual, PART_JOINTS[body])
            self._find_movements(body)
            return CodebookTraining(body, schedule, self.codebooks, self.windows)
        if kind == "denoiser":
            self._measure_latents(body)
            return DenoiserTraining(body, schedule, self.model, self.codebooks, self.windows)
        if part == "refiner":
            refiner = self.model.refiner
            if self.model.settings.informed and not bool(
                refiner.outputs.weight.any()
            ):  # it has learned nothing yet
                self._measure_poses(refiner.usual, range(COUNT))
            return RefinerTraining(schedule, self.model, self._streams())
        self._measure_poses(self.model.decoder.usual, range(COUNT))
        self._hand_on_movements()
        return DecoderTraining(schedule, self.model, self.windows, whole=part == "whole")

    def _streams(self) -> Rollouts:
        model = self.model.to(self.plan.device)
        return Rollouts(model, self.windows, self.plan.stretch, self.plan.bfloat16)

    def _measured(self, number: int = 0) -> tuple[Window, Tensor]:
        """Windows that means and spreads are taken from; in both mirror images, as they are learned from."""
        generator, settings = torch.Generator().manual_seed(self.plan.seed + number), self.model.settings
        return shown(self.windows.draw(MEASURED, generator, mirror=settings.mirror), settings)

    def _measure_poses(self, usual: PoseNormaliser, joints: Sequence[int]) -> None:
        """Set what a network takes for usual, once: one that has learned keeps its units."""
        if self.model.settings.normalised and bool((usual.spread == 1).all()):
            usual.measure(to_6d(self._measured()[0].rotations[:, :, list(joints)]).to(usual.mean))

    @torch.no_grad()
    def _find_movements(self, body: str) -> None:
        """Let a codebook begin from the principal movements of its part, and from k-means in their latents."""
        codebook, joints = getattr(self.codebooks, body), PART_JOINTS[body]
        if codebook.movements is None or codebook.movements.measured:
            return
        windows = [
            self._measured(k)[0].rotations[:, :, list(joints)].cpu()
            for k in range(max(1, self.plan.watched // MEASURED))
        ]
        pose = to_6d(torch.cat(windows))
        codebook.movements.measure(pose, reaches(self.windows.skeleton, joints))
        codebook.quantiser.settle(codebook.movements.taken(pose), torch.Generator().manual_seed(self.plan.seed))

    def _hand_on_movements(self) -> None:
        """Tell the decoder what latents stand for, in the units of the denoisers."""
        for body in PART_JOINTS if self.model.settings.movements else ():
            theirs, mine = getattr(self.codebooks, body).movements, getattr(self.model.decoder, body)
            if not mine.measured:
                mine.load_state_dict(theirs.state_dict())
                mine.size *= getattr(self.model, f"{body}_denoiser").spread.cpu()

    @torch.no_grad()
    def _measure_latents(self, body: str) -> None:
        """Set the spread of a part's latents, once."""
        spread, codebook = getattr(self.model, f"{body}_denoiser").spread, getattr(self.codebooks, body).eval()
        if float(spread) == 1.0:
            window, sparse = self._measured()
            rotations = window.rotations[:, :, list(PART_JOINTS[body])]
            spread.copy_(latents(codebook.to(sparse.device), rotations, sparse).std())


def fresh(settings: SageSettings, seed: int = 7) -> tuple[Sage, Codebooks]:
    """Networks that have learned nothing."""
    torch.manual_seed(seed)
    return Sage(settings), Codebooks(settings)


def fingerprint(*networks: nn.Module) -> str:
    """A short text that says whether networks are the same as others."""
    tensors = [x.double() for network in networks for x in network.state_dict().values()]
    sums = [float(x.sum()) + float(x.abs().sum()) for x in tensors]
    return " ".join(f"{part:.6f}" for part in (sum(sums), sum(k * s for k, s in enumerate(sums, 1))))


def finer(plan: Plan, share: float) -> Plan:
    """The plan with all learning rates times ``share``: to go on from a model that has learned."""
    rates = {key: share * value for key, value in asdict(plan).items() if key.endswith("_rate")}
    return replace(plan, **rates)


def published_plan(minutes: float | None, steps: Mapping[str, int], from_start: bool) -> Plan:
    """The published plan, scaled to ``minutes`` of one core where they are given, single numbers of steps replaced."""
    plan = ONWARD if from_start else PUBLISHED
    if unknown := set(steps) - set(KINDS):
        raise InputError(f"steps: got {', '.join(sorted(unknown))}, expected some of {', '.join(KINDS)}.")
    if minutes is not None:
        share = minutes / plan.minutes()
        plan = replace(plan, **{kind: round(share * getattr(plan, kind)) for kind in KINDS})
    return replace(plan, **steps)


def learn_codebooks(
    library: Library,
    split: str,
    settings: SageSettings,
    plan: Plan,
    out: Path,
    commit: str | None = None,
    tell: OnPartStep | None = None,
) -> Path:
    """Train the codebooks on the train side of ``split``, write them to ``out`` and return their path.

    The card's figures are of windows of the split `heldout`, of whom nobody is in `common` nor in `heldout`'s own
    train side.
    """
    segments = library.split(split)[0]
    trainer = SageTrainer(*fresh(settings, plan.seed), library, segments, plan, out / f"codebooks_{split}", tell)
    for part in PARTS[:2]:
        trainer.train_part(part)
    test = library.split("heldout")[1] if "heldout" in library.splits else []
    figures = codebook_figures(trainer.codebooks, Windows(library, test, settings.window + 1)) if test else {}
    origin = library.origin(segments, split)
    card = weights.card(parameters={"plan": asdict(plan)}, metrics=figures, commit=commit, **origin)
    trainer.codebooks.save(out / f"{CODEBOOKS}.safetensors", card)
    return out / f"{CODEBOOKS}.safetensors"


def learn(
    library: Library, split: str, codebooks: Path, plan: Plan, out: Path, commit: str | None = None,
    tell: OnPartStep | None = None, start: Path | None = None,
) -> Path:  # fmt: skip
    """Train all but the codebooks on the train side of ``split``; write ``motion_sage_{split}`` to ``out``; its path.

    ``start``: weights to go on from. Checkpoints are kept under ``out``: stopped, it goes on where it was.
    """
    books = Codebooks.load(codebooks)
    segments, test = library.split(split)
    model = fresh(books.settings, plan.seed)[0] if start is None else Sage.load(start)
    if start is not None and plan.refiner:  # what trembles on other data, and how much, is to be found anew
        model.refiner.begin_gates()
    trainer = SageTrainer(model, books, library, segments, plan, out / f"sage_{split}", tell)
    for part in PARTS[2:]:
        trainer.train_part(part)
    parameters = {"plan": asdict(plan), "start": start.stem if start else "", "numbers": weights.size(model)}
    path, origin = out / f"{weights_name('sage', split)}.safetensors", library.origin(segments, split)
    metrics = figures(model, library, test)
    model.save(path, weights.card(parameters=parameters, metrics=metrics, commit=commit, **origin))
    return path


def figures(model: Sage, library: Library, segments: list[int]) -> dict[str, float]:
    """What a card says of a model's answers on test segments; nothing where there are none."""
    if not segments:
        return {}
    skeleton = Skeleton(torch.as_tensor(library.rest).float())
    found = scored(SagePredictor(model, skeleton, half=True), library, segments)
    plain = scored(SagePredictor(model, skeleton, refined=False, half=True), library, segments)
    return found | {f"unrefined_{key}": plain[key] for key in ("mpjpe_cm", "mpjve_cm_s", "jitter_100m_s3")}
