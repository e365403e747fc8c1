"""Training under Lightning: a number of steps, checkpoints from which a stopped run goes on, TensorBoard, DDP.

A step draws its batch from the seed, the rank and its own number, so a run that was stopped goes on as if it had not
been, and data that lie on the device stay there. On one CPU thread equal settings give equal weights, bit by bit.
"""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from avatarlab.core.files import write_json

CHECKPOINT, IDENTITY = "steps.ckpt", "run.json"
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: ``steps`` of ``batch``; the rate rises over ``warm`` of them, then falls as a cosine.

    ``bfloat16``: networks in half precision; ``device`` cpu or cuda; ``devices`` > 1 trains by DDP; a checkpoint each
    ``checkpoint_every`` steps.
    """

    steps: int
    batch: int
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warm: float = 0.05
    clip: float = 1.0
    seed: int = 7
    bfloat16: bool = False
    device: str = "cpu"
    devices: int = 1
    checkpoint_every: int = 200


class TrainingModule(lightning.LightningModule):
    """A network under training. Subclasses say ``loss(generator)``: a batch drawn, and its terms, ``total`` among them.

    ``generator`` is a CPU torch.Generator of this step alone. ``half()`` is a context for the network's own
    arithmetic; kinematics and losses stay outside it, in float32.
    """

    def __init__(self, network: nn.Module, schedule: Schedule):
        super().__init__()
        self.network, self.schedule, self.history = network, schedule, []

    def loss(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw a batch and return the loss terms by name; ``total`` is what is minimised."""
        raise NotImplementedError

    def half(self) -> AbstractContextManager:
        """bfloat16 where the schedule wants it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bfloat16)

    def training_step(self, batch, number: int) -> Tensor:
        seed = (self.schedule.seed * 1_000_003 + self.global_step) * 64 + self.global_rank
        terms = self.loss(torch.Generator().manual_seed(seed))
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        if self.global_step % 20 == 0:
            self.history.append({"step": self.global_step, **{k: float(v.detach()) for k, v in terms.items()}})
        return terms["total"]

    def configure_optimizers(self):
        expected = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            expected, self.schedule.learning_rate, (0.9, 0.99), weight_decay=self.schedule.weight_decay
        )
        curve = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate(step, self.schedule.steps, self.schedule.warm)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": curve, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.history = checkpoint["history"]


def rate(step: int, steps: int, warm: float = 0.05) -> float:
    """Share of the learning rate at a step: up linearly, down as a cosine."""
    rising = max(1.0, warm * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))


class Tell(Callback):
    """Calls ``tell(step, steps, loss)`` after every step."""

    def __init__(self, tell: OnStep, steps: int):
        self.tell, self.steps = tell, steps

    def on_train_batch_end(self, trainer, module, outputs, batch, number) -> None:
        self.tell(trainer.global_step, self.steps, float(outputs["loss"]))


def train(
    module: TrainingModule, folder: Path, run: dict, tell: OnStep | None = None, stop_after: int | None = None
) -> TrainingModule:
    """Train ``module`` for its schedule's steps and return it on the CPU, in eval mode.

    Checkpoints and TensorBoard's files go to ``folder``; a run begun there with an equal ``run`` (settings, data, body
    as JSON) is gone on with. ``tell`` hears every step; after ``stop_after`` steps it stops, to be resumed.
    """
    schedule = module.schedule
    begun = resumable(folder, run, CHECKPOINT)
    callbacks = [Tell(tell, schedule.steps)] if tell else []
    saved = ModelCheckpoint(
        folder, filename=Path(CHECKPOINT).stem, enable_version_counter=False,
        every_n_train_steps=schedule.checkpoint_every, save_on_train_epoch_end=False,
    )  # fmt: skip
    steps = schedule.steps if stop_after is None else min(schedule.steps, stop_after)
    runner = trainer(
        folder,
        schedule.device,
        schedule.devices,
        schedule.clip,
        [saved, *callbacks],
        max_steps=steps,
        max_epochs=-1,
    )
    runner.fit(module, DataLoader(range(10**9), batch_size=1), ckpt_path=begun, weights_only=False)
    runner.save_checkpoint(folder / CHECKPOINT)
    if schedule.devices > 1:  # the processes that trained are gone, and the history with them
        module.history = torch.load(folder / CHECKPOINT, weights_only=False)["history"]
    module.to("cpu").eval()
    return module


def trainer(folder: Path, device: str, devices: int, clip: float, callbacks: list[Callback], **limits):
    """A quiet Lightning trainer with TensorBoard's files in ``folder``; ``limits`` as Lightning calls them."""
    return lightning.Trainer(
        accelerator="gpu" if device == "cuda" else "cpu", devices=devices,
        # Forked: notebooks cannot be started a second time by another process.
        strategy="ddp_notebook" if devices > 1 else "auto", use_distributed_sampler=False,
        gradient_clip_val=clip, callbacks=callbacks, logger=TensorBoardLogger(folder, name="", version=""),
        num_sanity_val_steps=0, enable_progress_bar=False, enable_model_summary=False,
        **{"log_every_n_steps": 10, **limits},
    )  # fmt: skip


def resumable(folder: Path, run: dict, checkpoint: str) -> Path | None:
    """The checkpoint to go on from, if the run in ``folder`` is this one; else begin there anew."""
    kept, saved = folder / IDENTITY, folder / checkpoint
    if saved.is_file() and kept.is_file() and json.loads(kept.read_text()) == run:
        return saved
    folder.mkdir(parents=True, exist_ok=True)
    saved.unlink(missing_ok=True)
    write_json(kept, run)
    return None


def forget(folder: Path, checkpoint: str = CHECKPOINT) -> None:
    """Drop the checkpoint of a finished run, so that the next one begins anew."""
    for name in (checkpoint, IDENTITY):
        (folder / name).unlink(missing_ok=True)
