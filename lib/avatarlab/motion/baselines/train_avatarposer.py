"""Training of the AvatarPoser-like transformer on the last frames of windows, as published or normalised.

No stage trains it: ``python tools/train_motion.py avatarposer`` does, and writes the published weights.
"""

from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from avatarlab.learn import weights
from avatarlab.learn.trainer import OnStep, Schedule, TrainingModule, train
from avatarlab.motion.baselines.avatarposer import WINDOW, AvatarPoser, AvatarPoserSettings, load, save
from avatarlab.motion.data.library import Library, weights_name
from avatarlab.motion.data.windows import Windows
from avatarlab.motion.rotations import from_6d, to_6d
from avatarlab.motion.trackers import features

ROOT_WEIGHT, JOINTS_WEIGHT, POSITIONS_WEIGHT = 0.02, 1.0, 1.0
"""Of the L1 losses of the root's rotation, of the local rotations, of the joints' positions. Source: the paper, 3.4."""
PUBLISHED = Schedule(steps=3000, batch=128, learning_rate=5e-4, bfloat16=True)
"""How the published weights were trained on `common`; a split goes on from them with TUNED."""
TUNED = replace(PUBLISHED, steps=750, learning_rate=2.5e-4)
SECONDS_A_STEP = 0.36
"""Of one core, measured in bfloat16."""


class AvatarPoserTraining(TrainingModule):
    """The transformer under training."""

    SEEDED = False  # as the published weights were trained

    def __init__(self, network: AvatarPoser, windows: Windows, schedule: Schedule):
        super().__init__(network, schedule)
        self.windows = windows

    def loss(self, batch: torch.Generator) -> dict[str, Tensor]:
        normalised = self.network.settings.normalised
        window = self.windows.draw(self.schedule.batch, batch, mirror=normalised)
        if normalised:
            window = window.seen_from_last()
        seen = features(window.device_rotations, window.device_positions).flatten(-2)
        with self.half():
            pred = self.network(seen)
        return self._terms(pred, window.rotations[:, -1], window.positions[:, -1])

    def _terms(self, pred: Tensor, true: Tensor, positions: Tensor) -> dict[str, Tensor]:
        """Rotations ``pred`` (B, 22, 6), true local rotations (B, 22, 3, 3) and positions (B, 22, 3) m -> loss terms."""
        aims = to_6d(true)
        reached = self.windows.skeleton.fk(from_6d(pred))[1]
        losses = {
            "root": l1_loss(pred[:, 0], aims[:, 0]),
            "joints": l1_loss(pred[:, 1:], aims[:, 1:]),
            "positions": l1_loss(reached - reached[:, :1], positions - positions[:, :1]),
        }
        total = (
            ROOT_WEIGHT * losses["root"]
            + JOINTS_WEIGHT * losses["joints"]
            + POSITIONS_WEIGHT * losses["positions"]
        )
        return {"total": total, **losses}


def learn(
    library: Library, split: str, schedule: Schedule, folder: Path, start: Path | None = None,
    settings: AvatarPoserSettings | None = None, tell: OnStep | None = None,
) -> tuple[AvatarPoser, list]:  # fmt: skip
    """Train on the split's train side, from the weights ``start`` if given -> network, history."""
    torch.manual_seed(schedule.seed)
    windows = Windows(library, library.split(split)[0], WINDOW + 1, schedule.device)
    network = AvatarPoser(settings or AvatarPoserSettings()) if start is None else load(start)
    run = {"split": split, "schedule": asdict(schedule), "network": asdict(network.settings), "start": str(start)}
    module = train(AvatarPoserTraining(network.train(), windows, schedule), folder, run, tell)
    return module.network, module.history


def run(
    library: Library, split: str, out: Path, schedule: Schedule | None = None, start: Path | None = None,
    commit: str | None = None, settings: AvatarPoserSettings | None = None, tell: OnStep | None = None,
) -> AvatarPoser:  # fmt: skip
    """``learn``, and write weights and card to ``out`` under the published name."""
    schedule = schedule or (PUBLISHED if start is None else TUNED)
    name = weights_name("avatarposer", split)
    network, history = learn(library, split, schedule, Path(out) / f"{name}_run", start, settings, tell)
    figures = {f"train_{key}": value for key, value in history[-1].items() if key != "step"}
    origin = library.origin(library.split(split)[0], split)
    card = weights.card(
        parameters={"schedule": asdict(schedule)}, metrics=figures, commit=commit, digits=4, **origin
    )
    save(network, Path(out) / f"{name}.safetensors", card)
    return network
