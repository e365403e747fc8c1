"""Train a model of motion at its published size and write weights and card.

    python tools/train_motion.py MODEL --split SPLIT --out FOLDER [--library PATH] [--start FOLDER]
                                 [--minutes M | --steps PART=N,...] [--float32] [--device cuda]
                                 [--codebooks FILE] [--normalised]

MODEL: codebooks (of sage; trained first, on common), sage, causal or avatarposer. SPLIT: heldout, random, cross, or common (what all three train on, to start the others
from: --start is the folder that the run on common wrote). A line each ten seconds; a stopped run goes on when it
is started again with the same words. Without --minutes and --steps the published numbers of steps are taken.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import lightning.pytorch  # noqa: F401  (it sets its loggers' levels when imported)
import torch

from avatarlab import ROOT
from avatarlab.core.progress import ProgressLine
from avatarlab.motion.data.library import SPLITS, Library, weights_name


def codebooks(library: Library, asked: argparse.Namespace, progress: Callable) -> None:
    """The stratified model's codebooks: on `common`, one file for all splits."""
    from avatarlab.motion.sage import SMALL
    from avatarlab.motion.sage.train import learn_codebooks

    learn_codebooks(library, asked.split, SMALL, sage_plan(asked), asked.out, tell=progress)


def sage(library: Library, asked: argparse.Namespace, progress: Callable) -> None:
    """The stratified model: all its other parts, on --codebooks."""
    from avatarlab.motion.sage.train import learn

    start = asked.start and file_in(asked.start, "sage")
    learn(library, asked.split, asked.codebooks, sage_plan(asked), asked.out, tell=progress, start=start)


def sage_plan(asked: argparse.Namespace):
    """How long each part learns."""
    from avatarlab.motion.sage.train import published_plan

    plan = published_plan(asked.minutes, asked.steps, from_start=asked.start is not None)
    return replace(plan, seed=asked.seed, device=asked.device, bfloat16=not asked.float32)


def causal(library: Library, asked: argparse.Namespace, progress: Callable) -> None:
    """The lab's own causal model; one part, `causal`."""
    from avatarlab.motion.causal import train

    in_one_part("causal", train, library, asked, progress)


def avatarposer(library: Library, asked: argparse.Namespace, progress: Callable) -> None:
    """The AvatarPoser-like transformer, as published or --normalised; one part, `avatarposer`."""
    from avatarlab.motion.baselines import train_avatarposer
    from avatarlab.motion.baselines.avatarposer import AvatarPoserSettings

    settings = AvatarPoserSettings(normalised=asked.normalised)
    in_one_part("avatarposer", train_avatarposer, library, asked, progress, settings=settings)


def in_one_part(model: str, train, library: Library, asked: argparse.Namespace, progress: Callable, **more):
    """A model that is trained at a stretch, by its module ``train``."""
    whole = train.PUBLISHED if asked.start is None else train.TUNED
    steps = asked.steps.get(model) or (asked.minutes and round(asked.minutes * 60 / train.SECONDS_A_STEP))
    schedule = replace(
        whole, steps=steps or whole.steps, seed=asked.seed, device=asked.device, bfloat16=not asked.float32
    )
    start = asked.start and file_in(asked.start, model)
    tell = partial(progress, model)
    train.run(library, asked.split, asked.out, schedule, start, tell=tell, **more)


MODELS = {"codebooks": codebooks, "sage": sage, "causal": causal, "avatarposer": avatarposer}


def file_in(folder: Path, model: str) -> Path:
    """The weights of ``model`` in a folder that an earlier run wrote, whatever their split."""
    found = sorted(Path(folder).glob(f"motion_{model}_*.safetensors"))
    if len(found) != 1:
        sys.exit(f"--start: {folder} holds {len(found)} weights of {model}, expected one.")
    return found[0]


def numbers(text: str) -> dict[str, int]:
    """``part=100,other=50`` -> a dictionary."""
    return {name: int(count) for name, count in (pair.split("=") for pair in text.split(","))}


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("--split", choices=(*SPLITS, "common", "paper"), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--library", type=Path, default=ROOT / "data/motion/motion.npz")
    parser.add_argument("--start", type=Path)
    parser.add_argument("--codebooks", type=Path, default=ROOT / "models/pretrained/motion_codebooks.safetensors")
    parser.add_argument("--minutes", type=float, help="of one core; the published steps are scaled to it")
    parser.add_argument("--steps", type=numbers, default={}, help="part=number,...")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--float32", action="store_true", help="no half precision")
    parser.add_argument("--normalised", action="store_true", help="avatarposer seen from the head, and mirrored")
    return parser.parse_args()


def main() -> None:
    """Train, tell, write."""
    asked = arguments()
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    begun = time.monotonic()
    MODELS[asked.model](Library.load(asked.library), asked, ProgressLine(every_s=10))
    print(f"{weights_name(asked.model, asked.split)}: {time.monotonic() - begun:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
