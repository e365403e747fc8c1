"""Training under Lightning: batches drawn or loaded, validation, checkpoints from which a stopped run goes on, DDP.

A step's random numbers come from the seed, the rank and its own number, and so does what ``Examples`` loads for it:
a run that was stopped goes on as if it had not been. On one CPU thread equal settings give equal weights, bit by bit.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from avatarlab.core.files import write_json

CHECKPOINT, IDENTITY = "last.ckpt", "run.json"
HISTORY_EVERY = 20
"""Steps from one row of ``TrainingModule.history`` to the next."""
OnStep = Callable[[int, int, float], None]
"""Hears step, steps, loss."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: ``steps`` of ``batch``; the rate rises over ``warm`` of them, then falls as a cosine.

    ``betas``, ``weight_decay``: of AdamW; ``clip``: largest norm of the gradient. ``bfloat16``: networks in half
    precision; ``device`` cpu or cuda; ``devices`` > 1 trains by DDP. A checkpoint each ``checkpoint_every`` steps, a
    validation each ``validate_every``; where ``epochs`` are given (of a data module, all steps together), both after
    each epoch, for which data are loaded anew. TensorBoard hears each ``log_every``-th step.
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
    betas: tuple[float, float] = (0.9, 0.99)
    epochs: int | None = None
    validate_every: int = 200
    log_every: int = 10


class TrainingModule(lightning.LightningModule):
    """A network under training. Subclasses say ``loss``; with data for validation also ``validation`` and ``picture``.

    ``average``: the share that a moving average of the weights keeps at each step; ``trained`` is then that average.
    ``history`` has the loss terms of every HISTORY_EVERY-th step, ``validations`` the figures of each validation.
    """

    SEEDED = True
    """Whether torch's own generator, which dropout draws from, is seeded for each step; else it runs on."""

    def __init__(self, network: nn.Module, schedule: Schedule, average: float | None = None):
        super().__init__()
        self.network, self.schedule, self.share = network, schedule, average
        self.average = copy.deepcopy(network).requires_grad_(False) if average else None
        self.history, self.validations = [], []
        self._figures, self._random = [], None

    @property
    def trained(self) -> nn.Module:
        """The network that is validated and kept."""
        return self.network if self.average is None else self.average

    def loss(self, batch) -> dict[str, Tensor]:
        """Loss terms by name; ``total`` is what is minimised.

        ``batch`` is what the data module loads; without one, a CPU torch.Generator of this step, to draw a batch with.
        """
        raise NotImplementedError

    def validation(self, batch) -> dict[str, float]:
        """Figures of ``trained`` on a batch for validation."""
        raise NotImplementedError

    def picture(self, batch) -> np.ndarray | None:
        """A grid of pictures (H, W, 3) of a batch for validation, for TensorBoard; None: none."""
        return None

    def half(self) -> AbstractContextManager:
        """bfloat16 where the schedule wants it: for a network's own arithmetic; losses stay outside, in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bfloat16)

    def train_dataloader(self) -> DataLoader:
        """Without a data module: nothing but the next step, endlessly."""
        return DataLoader(range(10**9), batch_size=1)

    def val_dataloader(self) -> list:
        """Without a data module: nothing."""
        return []

    def training_step(self, batch, number: int) -> Tensor:
        seed = (self.schedule.seed * 1_000_003 + self.global_step) * 64 + self.global_rank
        if self.SEEDED:
            torch.manual_seed(seed)
        elif self._random is not None:
            torch.set_rng_state(self._random)
        self._random = None
        terms = self.loss(torch.Generator().manual_seed(seed) if self.trainer.datamodule is None else batch)
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        if self.global_step % HISTORY_EVERY == 0:
            self.history.append({"step": self.global_step, **{k: float(v.detach()) for k, v in terms.items()}})
        return terms["total"]

    def on_train_batch_end(self, outputs, batch, number: int) -> None:
        if self.average is None:
            return
        # Early on the average follows closely, or it would stay near the random start in a short training.
        share = min(self.share, self.global_step / (self.global_step + 10))
        for kept, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
            kept.lerp_(now.detach(), 1 - share)
        for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(now)

    def validation_step(self, batch, number: int) -> None:
        self._figures.append(self.validation(batch))
        self.log_dict({f"validation/{k}": v for k, v in self._figures[-1].items()}, sync_dist=True)
        if number == 0 and self.trainer.is_global_zero and (grid := self.picture(batch)) is not None:
            self.logger.experiment.add_image("validation", grid, self.global_step, dataformats="HWC")

    def on_validation_epoch_end(self) -> None:
        means = {k: sum(row[k] for row in self._figures) / len(self._figures) for k in self._figures[0]}
        self.validations.append({"step": self.global_step, **means})
        self._figures.clear()

    def configure_optimizers(self):
        schedule, learning = self.schedule, [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            learning, schedule.learning_rate, schedule.betas, weight_decay=schedule.weight_decay
        )
        curve = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate(step, schedule.steps, schedule.warm)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": curve, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint |= {"history": self.history, "validations": self.validations, "random": torch.get_rng_state()}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.history, self.validations = checkpoint["history"], checkpoint["validations"]
        self._random = checkpoint["random"]


def rate(step: int, steps: int, warm: float = 0.05) -> float:
    """Share of the learning rate at a step: up linearly, down as a cosine."""
    rising = max(1.0, warm * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))


class ShuffledBatches:
    """Numbers of the examples of each step, endlessly: all ``count`` once, in an order of the seed and the epoch.

    Begins at the step ``first``; of ``world`` processes each takes its own share of a step's examples. What does not
    fill a last batch of an epoch is left out of it.
    """

    def __init__(self, count: int, batch: int, seed: int, first: int = 0, rank: int = 0, world: int = 1):
        self.count, self.batch, self.seed, self.first, self.rank, self.world = (
            count,
            batch,
            seed,
            first,
            rank,
            world,
        )

    def __iter__(self) -> Iterator[list[int]]:
        whole = self.batch * self.world
        epoch, step = divmod(self.first, self.count // whole)
        while True:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
            for number in range(step, self.count // whole):
                begin = number * whole + self.rank * self.batch
                yield order[begin : begin + self.batch].tolist()
            epoch, step = epoch + 1, 0


class Examples(lightning.LightningDataModule):
    """Examples of a map-style dataset, shuffled, loaded by ``workers`` processes; others, in order, for validation."""

    def __init__(self, learned: Dataset, schedule: Schedule, checked: Dataset | None = None, workers: int = 0):
        super().__init__()
        if len(learned) < schedule.batch * schedule.devices:
            raise ValueError(
                f"examples: got {len(learned)}, fewer than a step's {schedule.batch * schedule.devices}."
            )
        self.learned, self.checked, self.schedule, self.workers = learned, checked, schedule, workers

    def train_dataloader(self) -> DataLoader:
        trainer, schedule = self.trainer, self.schedule
        batches = ShuffledBatches(
            len(self.learned),
            schedule.batch,
            schedule.seed,
            trainer.global_step,
            trainer.global_rank,
            trainer.world_size,
        )
        return DataLoader(self.learned, batch_sampler=batches, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader | list:
        if self.checked is None:
            return []
        return DataLoader(self.checked, batch_size=self.schedule.batch, num_workers=self.workers)


class Tell(Callback):
    """Calls ``tell(step, steps, loss)`` after every step."""

    def __init__(self, tell: OnStep, steps: int):
        self.tell, self.steps = tell, steps

    def on_train_batch_end(self, trainer, module, outputs, batch, number) -> None:
        self.tell(trainer.global_step, self.steps, float(outputs["loss"]))


def train(
    module: TrainingModule, folder: Path, run: dict, tell: OnStep | None = None, stop_after: int | None = None,
    data: lightning.LightningDataModule | None = None,
) -> TrainingModule:  # fmt: skip
    """Train ``module`` for its schedule, on ``data`` or on what its loss draws; return it on the CPU, in eval mode.

    Checkpoints and TensorBoard's files go to ``folder``; a run begun there with an equal ``run`` (settings, data, body
    as JSON) is gone on with. ``tell`` hears every step; after ``stop_after`` steps (epochs, where the schedule counts
    them) it stops, to be resumed.
    """
    schedule, begun = module.schedule, resumable(folder, run)
    runner = _trainer(folder, schedule, [Tell(tell, schedule.steps)] if tell else [], stop_after, data is not None)
    runner.fit(module, datamodule=data, ckpt_path=begun, weights_only=False)
    if not schedule.epochs:
        runner.save_checkpoint(folder / CHECKPOINT)
    if schedule.devices > 1:  # the processes that trained are gone, and the history with them
        module.on_load_checkpoint(torch.load(folder / CHECKPOINT, weights_only=False))
    module.to("cpu").eval()
    return module


def _trainer(folder: Path, schedule: Schedule, callbacks: list[Callback], stop_after: int | None, validated: bool):
    """A quiet Lightning trainer with checkpoints and TensorBoard's files in ``folder``."""
    by_epoch = schedule.epochs is not None
    end = min(schedule.epochs if by_epoch else schedule.steps, stop_after or math.inf)
    saved = ModelCheckpoint(
        folder, filename=Path(CHECKPOINT).stem, enable_version_counter=False, save_on_train_epoch_end=by_epoch,
        every_n_train_steps=None if by_epoch else schedule.checkpoint_every,
    )  # fmt: skip
    limits = dict(max_epochs=end, reload_dataloaders_every_n_epochs=1)
    if not by_epoch:
        limits = dict(max_steps=end, max_epochs=-1, val_check_interval=schedule.validate_every)
        limits |= dict(check_val_every_n_epoch=None)
    return lightning.Trainer(
        accelerator="gpu" if schedule.device == "cuda" else "cpu", devices=schedule.devices,
        # Forked: notebooks cannot be started a second time by another process.
        strategy="ddp_notebook" if schedule.devices > 1 else "auto", use_distributed_sampler=False,
        gradient_clip_val=schedule.clip, callbacks=[saved, *callbacks],
        logger=TensorBoardLogger(folder, name="", version=""), log_every_n_steps=schedule.log_every,
        limit_val_batches=1.0 if validated else 0, num_sanity_val_steps=0,
        enable_progress_bar=False, enable_model_summary=False, **limits,
    )  # fmt: skip


def resumable(folder: Path, run: dict) -> Path | None:
    """The checkpoint to go on from, if the run in ``folder`` is this one; else begin there anew."""
    kept, saved = folder / IDENTITY, folder / CHECKPOINT
    run = json.loads(json.dumps(run))  # tuples become lists, as they are in the file
    if saved.is_file() and kept.is_file() and json.loads(kept.read_text()) == run:
        return saved
    folder.mkdir(parents=True, exist_ok=True)
    saved.unlink(missing_ok=True)
    write_json(kept, run)
    return None


def forget(folder: Path) -> None:
    """Drop the checkpoint of a finished run, so that the next one begins anew."""
    for name in (CHECKPOINT, IDENTITY):
        (folder / name).unlink(missing_ok=True)
