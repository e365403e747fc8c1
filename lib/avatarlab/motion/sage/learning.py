"""A whole training of the stratified model: from a library to a weights file with its card."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch

from avatarlab.errors import InputError
from avatarlab.motion.library import Library
from avatarlab.motion.publishing import card, name
from avatarlab.motion.sage.model import Sage, size
from avatarlab.motion.sage.predictor import SagePredictor
from avatarlab.motion.sage.scoring import codebook_figures, scored
from avatarlab.motion.sage.settings import Settings
from avatarlab.motion.sage.training import PARTS, Course, Plan, TellPart, fresh
from avatarlab.motion.skeleton import Skeleton
from avatarlab.motion.windows import Windows

PUBLISHED = Plan()
"""What the weights under models/pretrained learned by, on `common`."""
ONWARD = Plan(codebook=0, denoiser=0, decoder=0, whole=500, refiner=200)
"""What they learned by for each split, from those of `common`."""


def published_plan(minutes: float | None, steps: Mapping[str, int], from_start: bool) -> Plan:
    """The published plan, scaled to ``minutes`` of one core where they are given, single numbers of steps replaced."""
    plan = ONWARD if from_start else PUBLISHED
    kinds = ("codebook", "denoiser", "decoder", "whole", "refiner")
    if unknown := set(steps) - set(kinds):
        raise InputError(f"steps: got {', '.join(sorted(unknown))}, expected some of {', '.join(kinds)}.")
    if minutes is not None:
        share = minutes / plan.minutes()
        plan = replace(plan, **{kind: round(share * getattr(plan, kind)) for kind in kinds})
    return replace(plan, **steps)


def learn(
    library: Library,
    split: str,
    settings: Settings,
    plan: Plan,
    out: Path,
    machine: Mapping,
    commit: str,
    tell: TellPart | None = None,
    start: Path | None = None,
) -> Path:
    """Train all parts on the train side of ``split`` and write ``motion_sage_{split}`` to ``out``; its path.

    ``start``: weights to go on from. Checkpoints are kept under ``out``: stopped, it goes on where it was.
    """
    plan = replace(plan, **machine)
    train_side, test_side = library.split(split)
    model = fresh(settings, plan.seed) if start is None else Sage.load(start)
    course = Course(model, library, train_side, plan, out / f"sage_{split}", tell)
    for part in PARTS:
        course.take(part)
    metrics = figures(model, library, test_side) | {"numbers": size(model)}
    parameters = {"plan": asdict(plan), "start": start.stem if start else ""}
    path = out / f"{name('sage', split)}.safetensors"
    model.save(path, card(library, train_side, split, parameters, metrics, commit))
    return path


def figures(model: Sage, library: Library, segments: list[int]) -> dict[str, float]:
    """What a card says of a model's answers on test segments; nothing where there are none."""
    if not segments:
        return {}
    skeleton = Skeleton(torch.as_tensor(library.rest).float())
    found = scored(SagePredictor(model, skeleton, half=True), library, segments)
    unrefined = scored(SagePredictor(model, skeleton, refined=False, half=True), library, segments)
    found |= {f"unrefined_{key}": unrefined[key] for key in ("mpjpe_cm", "mpjve_cm_s", "jitter_100m_s3")}
    found |= codebook_figures(model, Windows(library, segments, model.settings.window + 1))
    return {key: round(value, 3) for key, value in found.items()}
