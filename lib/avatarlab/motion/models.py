"""Models of motion by name, each of one split: baselines learned on the spot, networks from their weights."""

from pathlib import Path

import torch

from avatarlab.core.errors import InputError
from avatarlab.learn import weights
from avatarlab.motion import baselines
from avatarlab.motion.baselines.avatarposer import AvatarPoserPredictor
from avatarlab.motion.causal.predict import CausalPredictor
from avatarlab.motion.data.library import Library, weights_name
from avatarlab.motion.predictor import Predictor
from avatarlab.motion.sage.predict import SagePredictor
from avatarlab.motion.skeleton import Skeleton

NETWORKS = {
    "avatarposer": AvatarPoserPredictor.load,
    "avatarposer_normalised": AvatarPoserPredictor.load,
    "sage": SagePredictor.load,
    "causal": CausalPredictor.load,
}
"""Name -> what makes a Predictor of a weights file and a skeleton."""
STAGES = {"sage": "train_refiner"}
"""Network -> the stage that trains it, whose folder holds the `trained` weights; others are published only."""
NAMES = (*baselines.NAMES, *NETWORKS)


def load(
    name: str, split: str, library: Library, which: str = "pretrained", skeleton: Skeleton | None = None
) -> Predictor:
    """The model ``name`` that has learned nothing of the test segments of ``split``.

    Baselines learn from ``library``; ``which`` says whose weights a network takes. The skeleton is the library's
    unless another is given. An unknown name or missing weights raise InputError.
    """
    if name in baselines.NAMES:
        return baselines.learned(name, library, split)
    path, body = weights_file(name, split, which), skeleton or Skeleton(torch.as_tensor(library.rest).float())
    return NETWORKS[name](path, body)


def weights_file(name: str, split: str, which: str = "pretrained") -> Path:
    """Where the weights of a network are; a name of no network raises InputError."""
    if name not in NETWORKS:
        raise InputError(f"model: got {name!r}, expected one of {', '.join(NAMES)}.")
    return weights.find(weights_name(name, split), STAGES.get(name, ""), which if name in STAGES else "pretrained")


def is_available(name: str, split: str, which: str = "pretrained") -> bool:
    """Whether a model can be loaded: a baseline always, a network where its weights are."""
    return name in baselines.NAMES or weights_file(name, split, which).is_file()


def of_this_library(name: str, split: str, library: Library, which: str = "pretrained") -> bool:
    """Whether what a model has learned is the training side of ``library``'s split: as much of each source, within 3 %.

    If not, its figures are those of a model that comes from elsewhere, and may have seen what it is tested on.
    """
    if name in baselines.NAMES:
        return True
    here = library.origin(library.split(split)[0], split)["frames"]
    learned = weights.load(weights_file(name, split, which))[1]["frames"]
    return {*here} == {*learned} and all(abs(learned[key] / here[key] - 1) < 0.03 for key in here)


def conditions(name: str, split: str, which: str = "pretrained") -> tuple[int, dict]:
    """How many numbers a network has learned, and what its card says of how: its ``parameters``."""
    tensors, card = weights.load(weights_file(name, split, which))
    return sum(tensor.numel() for tensor in tensors.values()), card["parameters"]
