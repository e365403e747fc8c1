"""A whole training of the stratified model: from a library to weights files with their cards."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch

from avatarlab.core.errors import InputError
from avatarlab.motion.data.library import Library
from avatarlab.motion.data.windows import Windows
from avatarlab.motion.publishing import card, name
from avatarlab.motion.sage.evaluate import codebook_figures, scored
from avatarlab.motion.sage.model import Codebooks, Sage, size
from avatarlab.motion.sage.predict import SagePredictor
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.sage.train import PARTS, OnPartStep, Plan, SageTrainer, fresh
from avatarlab.motion.skeleton import Skeleton

CODEBOOKS = "motion_codebooks"
"""The weights file of the codebooks; one for all splits, learned where nobody is tested."""
PUBLISHED = Plan(codebook=1500, denoiser=1200, decoder=100, whole=4400, refiner=1500)
"""What the weights under models/pretrained learned by, on `common`."""
ONWARD = Plan(
    codebook=0, denoiser=0, decoder=0, whole=1100, refiner=700, whole_rate=4e-4, refiner_rate=1e-3
)  # fmt: skip
"""What they learned by for each split, from those of `common`."""
KINDS = ("codebook", "denoiser", "decoder", "whole", "refiner")


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
    commit: str,
    tell: OnPartStep | None = None,
) -> Path:
    """Train the codebooks on the train side of ``split``, write them to ``out`` and return their path.

    The card's figures are of windows of the split `heldout`, of whom nobody is in `common` nor in `heldout`'s own
    train side.
    """
    segments = library.split(split)[0]
    course = SageTrainer(*fresh(settings, plan.seed), library, segments, plan, out / f"codebooks_{split}", tell)
    for part in PARTS[:2]:
        course.take(part)
    test = library.split("heldout")[1] if "heldout" in library.splits else []
    figures = codebook_figures(course.codebooks, Windows(library, test, settings.window + 1)) if test else {}
    pred = card(library, segments, split, {"plan": asdict(plan)}, rounded(figures), commit)
    course.codebooks.save(out / f"{CODEBOOKS}.safetensors", pred)
    return out / f"{CODEBOOKS}.safetensors"


def learn(
    library: Library, split: str, codebooks: Path, plan: Plan, out: Path, commit: str,
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
    course = SageTrainer(model, books, library, segments, plan, out / f"sage_{split}", tell)
    for part in PARTS[2:]:
        course.take(part)
    parameters = {"plan": asdict(plan), "start": start.stem if start else "", "numbers": size(model)}
    path = out / f"{name('sage', split)}.safetensors"
    model.save(path, card(library, segments, split, parameters, rounded(figures(model, library, test)), commit))
    return path


def figures(model: Sage, library: Library, segments: list[int]) -> dict[str, float]:
    """What a card says of a model's answers on test segments; nothing where there are none."""
    if not segments:
        return {}
    skeleton = Skeleton(torch.as_tensor(library.rest).float())
    found = scored(SagePredictor(model, skeleton, half=True), library, segments)
    plain = scored(SagePredictor(model, skeleton, refined=False, half=True), library, segments)
    return found | {f"unrefined_{key}": plain[key] for key in ("mpjpe_cm", "mpjve_cm_s", "jitter_100m_s3")}


def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    """To three decimals."""
    return {key: round(value, 3) for key, value in numbers.items()}
