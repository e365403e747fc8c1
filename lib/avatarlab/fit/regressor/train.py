"""Training the first guess on rounds of freshly made people; the weights as a file, and the card that says whence.

A round draws its people from the seed and its number alone and ends with a checkpoint, so a run that was stopped goes
on as if it had not been. On one CPU thread equal settings give equal weights, bit by bit.
"""

import copy
import hashlib
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import lightning
import numpy as np
import torch
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
from avatarlab.learn import trainer, weights
from avatarlab.learn.trainer import OnStep, Schedule, TrainingModule
from avatarlab.synthetic import Participants

KNOWN = 200
VALIDATION_SEED, LINE_SEED = 2**31, 2**31 + 1
BASES = ("body", "skeleton")
"""What the network says betas and poses in."""
DATA = (
    "Made-up people only, drawn anew for every round: half mixtures of train participants of stage 11_people ({count} "
    "people, rows: {source}), half draws from the open body's prior, each with what participants have beyond its "
    "components; posed, photographed, clothed and spoilt as 11_people does. No calibration or test people, no photos."
)


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

    @property
    def schedule(self) -> Schedule:
        """That of the trainer: an epoch is a round."""
        return Schedule(
            self.steps, self.batch, self.learning_rate, betas=(0.9, 0.999), clip=5.0, seed=self.seed,
            bfloat16=self.bfloat16, device=self.device, devices=self.devices, epochs=self.rounds, log_every=1,
        )  # fmt: skip


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
        run, settings = self.trainer, self.settings
        seed = (settings.seed, run.global_rank, run.current_epoch)
        late = run.current_epoch >= settings.hard_from * settings.rounds
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


class RegressorTraining(TrainingModule):
    """The network under training, on the batches of PeopleRounds.

    ``checked`` are the people for validation, ``known`` others without pictures, to compare with.
    """

    def __init__(self, network: Regressor, terms: Loss, sampler: Sampler, settings: RegressorSettings):
        super().__init__(network, settings.schedule)
        self.settings, self.terms, self.sampler = settings, terms, sampler
        self.checked: Batch | None = None
        self.known: Shapes | None = None

    def on_fit_start(self) -> None:
        self.terms.body.to(self.device)

    def loss(self, batch) -> dict[str, Tensor]:
        seen, people = batch
        terms = self.terms(self.network, self.network(seen), seen, people)
        return terms | {"total": total(terms)}

    def validation(self, batch: Batch) -> dict[str, float]:
        return evaluate.figures(self.network, self.terms, batch)

    def picture(self, batch: Batch) -> np.ndarray:
        some = rows(batch, torch.arange(min(8, len(batch.image))))
        return overlay.grid(self.network, self.terms.body, self.sampler.mesh, some)


def train(
    body: Body,
    settings: RegressorSettings,
    folder: Path,
    people: Participants | None = None,
    tell: OnStep | None = None,
    stop_after: int | None = None,
) -> RegressorTraining:
    """Train a network; checkpoints and TensorBoard's files go to ``folder``, and a run begun there is gone on with.

    ``people`` are the train participants to draw about; ``tell`` hears every step; ``stop_after`` rounds it stops, to
    be resumed.
    """
    torch.manual_seed(settings.seed)
    sampler, network = Sampler(extend_shapes(body, people)), Regressor(settings.width)
    network.encoder.bfloat16 = settings.bfloat16
    module = RegressorTraining(
        network.to(memory_format=torch.channels_last), Loss(copy.deepcopy(body)), sampler, settings
    )
    made, run = PeopleRounds(sampler, settings), identity(body, settings, people)
    made.setup()
    module.checked, module.known = made.checked, sampler.draws(np.random.default_rng(settings.seed), KNOWN)
    begun = trainer.resumable(folder, run) is not None
    if not begun and settings.start:
        network.load_state_dict(FirstGuess.load(settings.start).network.state_dict())
    elif not begun:
        fit_linear_init(network, made.made((settings.seed, LINE_SEED), settings.lined), settings.seed)
    return trainer.train(module, folder, run, tell, stop_after, made)


def identity(body: Body, settings: RegressorSettings, people: Participants | None) -> dict:
    """What a run must share with a checkpoint to go on from it: settings, body and people."""
    told = hashlib.sha256(people.arrays["vertices"].tobytes()).hexdigest() if people else ""
    return {"settings": asdict(settings), "body": body.sha256, "people": told}


def publish(
    path: str | Path,
    module: RegressorTraining,
    body: Body,
    people: Participants | None,
    commit: str | None = None,
) -> None:
    """Write the weights to ``path`` and the card beside them, with the figures of the last validation."""
    data = DATA.format(count=len(people) if people else 0, source=people.source if people else "none")
    bases = {name: body.bases[name] for name in BASES}
    parameters, seed = asdict(module.settings), module.settings.seed
    metrics = {name: value for name, value in module.validations[-1].items() if name != "step"}
    card = weights.card(data, parameters, metrics, "Apache-2.0", commit, bases=bases, seed=seed)
    numbers = module.network.state_dict()
    weights.save(path, {name: x for name, x in numbers.items() if not name.endswith("num_batches_tracked")}, card)
