"""Learned numbers on disk: float16 safetensors with a JSON card beside them, published in git or trained here."""

import json
import logging
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.files import whole, write_json

log = logging.getLogger(__name__)

WHICH = ("pretrained", "trained")
CARD = ("data", "parameters", "commit", "metrics", "licence")
"""What every card says; more is welcome."""


def find(name: str, stage: str, which: str = "pretrained") -> Path:
    """Return where the weights ``name`` are: models/pretrained, or what ``stage`` trained here."""
    if which not in WHICH:
        raise InputError(f"weights: got {which!r}, expected one of {', '.join(WHICH)}.")
    folder = ROOT / "models" / ("pretrained" if which == "pretrained" else stage)
    return folder / f"{name}.safetensors"


def card(
    data, parameters: Mapping, metrics: Mapping, licence: str, commit: str | None = None, digits: int = 3, **more
) -> dict:
    """The card of weights: CARD and ``more``; ``commit`` is the checkout's if not given, numbers of ``metrics`` rounded."""
    return {
        "data": data,
        "parameters": dict(parameters),
        "commit": checkout() if commit is None else commit,
        "metrics": rounded(metrics, digits),
        "licence": licence,
        **more,
    }


def checkout() -> str:
    """The checkout's commit, short; nothing where there is none."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def rounded(metrics: Mapping, digits: int = 3) -> dict:
    """Flat figures to some decimals; what is no float stays as it is."""
    return {key: round(value, digits) if isinstance(value, float) else value for key, value in metrics.items()}


def size(module: torch.nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in module.parameters())


def save(path: str | Path, tensors: Mapping[str, torch.Tensor], card: Mapping) -> None:
    """Write tensors by name, floats as float16, and the card as JSON beside them (same name, .json)."""
    if missing := [key for key in CARD if key not in card]:
        raise ValueError(f"card: {', '.join(missing)} missing; every card has {', '.join(CARD)}.")
    halves = {name: _half(name, tensor) for name, tensor in tensors.items()}
    with whole(path) as part:
        save_file(halves, part)
    write_json(Path(path).with_suffix(".json"), dict(card))


def foreign_bases(card: Mapping, bases: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the bases that a card rests on and that ``bases``, of ``Body.bases``, has otherwise or not at all.

    Numbers learned on components of one body say nothing in those of another. A card that names none fits any body.
    """
    return tuple(name for name, digest in sorted(card.get("bases", {}).items()) if bases.get(name) != digest)


def usable_on(name: str, card: Mapping, bases: Mapping[str, str], instead: str) -> bool:
    """Whether the weights ``name`` may be used on a body; if not, a warning, once, says what is done ``instead``."""
    other = foreign_bases(card, bases)
    if other:
        _warn(f"{name}: learned on a body of another {' and '.join(other)}, so {instead}; take the published body "
              "(body_file) or train on this one (weights: trained).")  # fmt: skip
    return not other


@lru_cache
def _warn(sentence: str) -> None:
    log.warning(sentence)


def _half(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a float tensor as finite float16, any other as it is."""
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    if not bool(torch.isfinite(half).all()):
        raise ValueError(f"{name}: not finite in float16; scale it before it is saved.")
    return half


def load(path: str | Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Return (tensors by name, floats as float32; card); a missing or damaged file raises InputError.

    The card's ``bases`` (name -> sha256), where it has any, are what the numbers refer to: see ``foreign_bases``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights; run the stage that trains them, or set weights: pretrained.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged weights or card ({error}).") from None
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, card
