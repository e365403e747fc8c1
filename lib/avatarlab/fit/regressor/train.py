"""Training the first guess: rounds of freshly made people, Lightning around them, checkpoints from which it resumes.

A round draws its people from the seed and its number alone and ends with a checkpoint, so a run that was stopped goes
on as if it had not been. On one CPU thread equal settings give equal weights, bit by bit.
"""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from avatarlab.body import Body
from avatarlab.fit.regressor import evaluate, hard_mining, overlay
from avatarlab.fit.regressor.data import Batch, Sampler, drop_views, rows
from avatarlab.fit.regressor.extended_shapes import extend_shapes
from avatarlab.fit.regressor.linear_init import fit_linear_init
from avatarlab.fit.regressor.loss import Loss, total
from avatarlab.fit.regressor.model import Regressor
from avatarlab.fit.regressor.predict import FirstGuess
from avatarlab.fit.regressor.shape_sampler import Shapes
from avatarlab.learn.trainer import Tell, rate, resumable, trainer
from avatarlab.synthetic import Participants

WEIGHT_DECAY = 1e-4
CLIP = 5.0
CHECKPOINT = "round.ckpt"
KNOWN = 200
VALIDATION_SEED, LINE_SEED = 2**31, 2**31 + 1


@dataclass(frozen=True)
class RegressorSettings:
    """Sizes of a run. ``rounds`` of ``people`` each, gone through ``passes`` times in batches of ``batch``.

    From the share ``hard_from`` of the rounds on, ``hard_people`` of each round are hard ones. The line is drawn
    through ``lined`` people, ``checked`` are for validation; ``bfloat16`` for the convolutions; ``start``
    is a file of weights to go on from;
    ``device`` cpu or cuda, ``devices`` > 1 trains by DDP.
    """

    rounds: int
    people: int
    passes: int = 3
    batch: int = 32
    learning_rate: float = 1e-3
    width: int = 16
    hard_from: float = 0.7
    hard_people: int = 32
    lined: int = 1024
    checked: int = 64
    seed: int = 7
    bfloat16: bool = False
    start: str = ""
    device: str = "cpu"
    devices: int = 1

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.rounds * self.passes * (self.people // self.batch)


class Round(Dataset):
    """The batches of one round: its people ``passes`` times, shuffled, each time with other things left out."""

    def __init__(self, people: Batch, settings: RegressorSettings, seed: tuple[int, ...]):
        self.people, self.settings, self.seed = people, settings, seed
        chance, count = np.random.default_rng((*seed, 1)), len(people.image)
        order = [chance.permutation(count) for _ in range(settings.passes)]
        size = settings.batch
        self.chosen = [one[k : k + size] for one in order for k in range(0, count - size + 1, size)]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, number: int):
        some = rows(self.people, torch.from_numpy(self.chosen[number]))
        return drop_views(some, np.random.default_rng((*self.seed, 2, number))), some


class PeopleRounds(lightning.LightningDataModule):
    """Makes the people of each round when it begins, and those for validation once."""

    CHUNK = 32

    def __init__(self, sampler: Sampler, settings: RegressorSettings):
        super().__init__()
        self.sampler, self.settings, self.checked = sampler, settings, None

    def setup(self, stage: str = "fit") -> None:
        """Make the people for validation, once."""
        self.checked = self.checked or self.made((VALIDATION_SEED, self.settings.seed), self.settings.checked)

    def train_dataloader(self) -> DataLoader:
        trainer, settings = self.trainer, self.settings
        seed = (settings.seed, trainer.global_rank, trainer.current_epoch)
        late = trainer.current_epoch >= settings.hard_from * settings.rounds
        people = self.made(seed, settings.people, settings.hard_people if late else 0)
        return DataLoader(Round(people, settings, seed), batch_size=None)

    def val_dataloader(self) -> DataLoader:
        return DataLoader([self.checked], batch_size=None)

    def made(self, seed: tuple[int, ...], count: int, hard_ones: int = 0) -> Batch:
        """``count`` people of a seed, the first ``hard_ones`` of them hard."""
        parts = []
        for start, end in pairwise(sorted({*range(0, count, self.CHUNK), hard_ones, count})):
            chance = np.random.default_rng((*seed, 0, start))
            shapes = self.sampler.draws(chance, end - start)
            if start < hard_ones:
                shapes = hard_mining.harden(self.trainer.lightning_module.network, self.sampler, shapes, chance)
            parts.append(self.sampler.batch_of(shapes, chance))
        return joined(parts)


def joined(parts):
    """Batches, or tuples of tensors in them, one after the other."""
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return type(parts[0])(*(joined(column) for column in zip(*parts, strict=True)))


class Training(lightning.LightningModule):
    """The network under Lightning; ``history`` gains a row of figures with each validation.

    ``checked`` are the people for validation, ``known`` others without pictures, to compare with.
    """

    def __init__(self, network: Regressor, loss: Loss, sampler: Sampler, settings: RegressorSettings):
        super().__init__()
        self.network, self.settings = network, settings
        self.loss, self.sampler, self.history = loss, sampler, []
        self.checked: Batch | None = None
        self.known: Shapes | None = None

    def on_fit_start(self) -> None:
        self.loss.body.to(self.device)

    def training_step(self, batch, number: int) -> Tensor:
        seen, people = batch
        terms = self.loss(self.network, self.network(seen), seen, people)
        value = total(terms)
        self.log_dict({f"train/{name}": term for name, term in terms.items()} | {"train/loss": value})
        return value

    def validation_step(self, people: Batch, number: int) -> None:
        figures = evaluate.figures(self.network, self.loss, people)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()}, sync_dist=True)
        if not self.trainer.sanity_checking:
            self.history.append({"step": self.global_step, **figures})
            self._show(people)

    def _show(self, people: Batch) -> None:
        if self.logger is not None and self.trainer.is_global_zero:
            some = rows(people, torch.arange(min(8, len(people.image))))
            grid = overlay.grid(self.network, self.loss.body, self.sampler.mesh, some)
            self.logger.experiment.add_image("validation", grid, self.global_step, dataformats="HWC")

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(
            self.network.parameters(), self.settings.learning_rate, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, self.settings.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.history = checkpoint["history"]


def train(
    body: Body,
    settings: RegressorSettings,
    folder: Path,
    people: Participants | None = None,
    tell: Callable[[int, int, float], None] | None = None,
    stop_after: int | None = None,
) -> Training:
    """Train a network; checkpoints and TensorBoard's files go to ``folder``, and a run begun there is gone on with.

    ``people`` are the train participants to draw about; ``tell`` hears every step; ``stop_after`` rounds it stops, to
    be resumed.
    """
    torch.manual_seed(settings.seed)
    sampler, network = Sampler(extend_shapes(body, people)), Regressor(settings.width)
    network.encoder.bfloat16 = settings.bfloat16
    module = Training(network.to(memory_format=torch.channels_last), Loss(copy.deepcopy(body)), sampler, settings)
    made, checkpoint = (
        PeopleRounds(sampler, settings),
        resumable(folder, identity(body, settings, people), CHECKPOINT),
    )
    made.setup()
    module.checked, module.known = made.checked, sampler.draws(np.random.default_rng(settings.seed), KNOWN)
    if checkpoint is None and settings.start:
        network.load_state_dict(FirstGuess.load(settings.start).network.state_dict())
    elif checkpoint is None:
        fit_linear_init(network, made.made((settings.seed, LINE_SEED), settings.lined), settings.seed)
    _trainer(settings, folder, [Tell(tell, settings.steps)] if tell else [], stop_after).fit(
        module, made, ckpt_path=checkpoint, weights_only=False
    )
    if settings.devices > 1:  # the processes that trained are gone, and the history with them
        module.history = torch.load(folder / CHECKPOINT, weights_only=False)["history"]
    network.to("cpu").eval()
    return module


def identity(body: Body, settings: RegressorSettings, people: Participants | None) -> dict:
    """What a run must share with a checkpoint to go on from it: settings, body and people."""
    told = hashlib.sha256(people.arrays["vertices"].tobytes()).hexdigest() if people else ""
    return {"settings": asdict(settings), "body": body.sha256, "people": told}


def _trainer(settings: RegressorSettings, folder: Path, callbacks: list[Callback], stop_after: int | None):
    saved = ModelCheckpoint(
        folder, filename=Path(CHECKPOINT).stem, enable_version_counter=False, save_on_train_epoch_end=True
    )
    rounds = settings.rounds if stop_after is None else min(settings.rounds, stop_after)
    return trainer(
        folder, settings.device, settings.devices, CLIP, [saved, *callbacks], max_epochs=rounds,
        reload_dataloaders_every_n_epochs=1, log_every_n_steps=1,
    )  # fmt: skip
