"""Training by steps: resumed runs, one run per folder, curves, the learning rate over the steps."""

from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("lightning", reason="lightning is not installed; it is in the extra `train`")

from avatarlab.learn import trainer
from avatarlab.learn.trainer import (
    CHECKPOINT,
    IDENTITY,
    Examples,
    Schedule,
    ShuffledBatches,
    TrainingModule,
    forget,
    rate,
    resumable,
    train,
)

SCHEDULE = Schedule(steps=30, batch=16, learning_rate=0.3, checkpoint_every=10)


class Line(TrainingModule):
    """Learns y = 3 x from drawn or loaded numbers."""

    def loss(self, batch: torch.Generator | torch.Tensor) -> dict:
        drawn = isinstance(batch, torch.Generator)
        x = torch.randn(self.schedule.batch, 1, generator=batch) if drawn else batch[:, None]
        with self.half():
            pred = self.network(x)
        off = (pred.float() - 3 * x).square().mean()
        return {"square": off, "total": off}

    def validation(self, batch: torch.Tensor) -> dict:
        return {"slope": float(self.trained.weight.detach()), "mean": float(batch.mean())}

    def picture(self, batch: torch.Tensor) -> np.ndarray:
        return np.zeros((4, 6, 3), np.uint8)


class Forgetful(Line):
    """With dropout, drawn in one sequence through all steps."""

    SEEDED = False


def line(
    schedule: Schedule = SCHEDULE, kind: type = Line, dropout: float = 0.0, average: float | None = None
) -> Line:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Dropout(dropout), nn.Linear(1, 1)) if dropout else nn.Linear(1, 1)
    return kind(network, schedule, average)


def numbers(module: Line) -> list[float]:
    return torch.cat([x.detach().flatten() for x in module.state_dict().values()]).tolist()


def examples(schedule: Schedule, workers: int = 0) -> Examples:
    return Examples(torch.arange(40) / 20 - 1, schedule, torch.linspace(0, 1, 20), workers)


def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path):
    whole, heard = train(line(), tmp_path / "whole", {"a": 1}), []
    train(line(), tmp_path / "parts", {"a": 1}, stop_after=13)
    resumed = train(line(), tmp_path / "parts", {"a": 1}, tell=lambda step, steps, loss: heard.append(step))
    assert heard == list(range(14, 31))
    assert torch.equal(whole.network.weight, resumed.network.weight) and whole.history == resumed.history
    assert abs(float(whole.network.weight.detach()) - 3) < 0.5 and not whole.training


@pytest.mark.parametrize("kind", [Line, Forgetful])
def test_dropout_and_the_average_go_on_too(kind, tmp_path):
    make = partial(line, kind=kind, dropout=0.5, average=0.9)
    whole = train(make(), tmp_path / "whole", {})
    train(make(), tmp_path / "parts", {}, stop_after=13)
    torch.manual_seed(1)  # another process' generator stands elsewhere
    assert numbers(train(make(), tmp_path / "parts", {})) == numbers(whole)


def test_the_average_follows_and_is_what_is_kept(tmp_path):
    module, seen = line(average=0.9), []
    kept = module.average.weight.detach().clone()
    train(module, tmp_path, {}, tell=lambda *_: seen.append(float(module.network.weight.detach())))
    for step, now in enumerate(seen, 1):
        share = min(0.9, step / (step + 10))
        kept = share * kept + (1 - share) * now
    assert module.trained is module.average and float(kept) == pytest.approx(
        float(module.average.weight.detach()), abs=1e-5
    )
    assert float(kept) != pytest.approx(seen[-1], abs=1e-5)


@pytest.mark.parametrize("workers", [0, 1])
def test_loaded_examples_resume_in_the_middle_of_an_epoch(workers, tmp_path):
    schedule = replace(SCHEDULE, validate_every=5)
    whole = train(line(schedule), tmp_path / "whole", {}, data=examples(schedule))
    train(line(schedule), tmp_path / "parts", {}, stop_after=13, data=examples(schedule, workers))
    resumed = train(line(schedule), tmp_path / "parts", {}, data=examples(schedule, workers))
    assert numbers(resumed) == numbers(whole) and abs(numbers(whole)[0] - 3) < 0.5
    assert resumed.validations == whole.validations
    assert [row["step"] for row in whole.validations] == [5, 10, 15, 20, 25, 30]
    assert whole.validations[0]["mean"] == pytest.approx((0.3947 + 0.9211) / 2, abs=1e-3)  # of both batches, alike


def test_an_epoch_shows_every_example_once_and_processes_share_a_step():
    def steps(count: int, **more) -> list[list[int]]:
        return list(islice(ShuffledBatches(10, 2, seed=7, **more), count))

    both = [steps(6, rank=rank, world=2) for rank in range(2)]
    first = [k for rank in both for batch in rank[:2] for k in batch]
    assert len(set(first)) == 8 and set(first) <= set(range(10))
    assert sorted(k for batch in steps(5) for k in batch) == list(range(10))
    assert steps(10)[5:] != steps(5) and steps(10)[7:] == steps(3, first=7)
    assert steps(5) != list(islice(ShuffledBatches(10, 2, seed=8), 5))


def test_too_few_examples_are_refused():
    with pytest.raises(ValueError, match="got 40, fewer than a step's 64"):
        examples(replace(SCHEDULE, batch=32, devices=2))


def test_every_step_draws_its_own_batch_and_every_seed_others(tmp_path):
    runs = [train(line(replace(SCHEDULE, seed=seed)), tmp_path / str(k), {}) for k, seed in enumerate((7, 7, 8))]
    weights = [float(run.network.weight.detach()) for run in runs]
    assert weights[0] == weights[1] != weights[2]
    losses = [row["total"] for row in runs[0].history]
    assert len(set(losses)) == len(losses) == 2


def test_half_precision_is_the_networks_alone(tmp_path):
    module = line(replace(SCHEDULE, bfloat16=True, steps=1))
    with module.half():
        assert module.network(torch.ones(1, 1)).dtype == torch.bfloat16
    assert module.loss(torch.Generator().manual_seed(0))["total"].dtype == torch.float32


def test_another_run_begins_anew(tmp_path):
    assert resumable(tmp_path, {"seed": 7}) is None
    (tmp_path / CHECKPOINT).touch()
    assert resumable(tmp_path, {"seed": 7}) == tmp_path / CHECKPOINT
    assert resumable(tmp_path, {"seed": 8}) is None and not (tmp_path / CHECKPOINT).exists()


def test_a_run_is_known_again_by_what_its_file_says(tmp_path):
    run = {"betas": (0.9, 0.99)}
    resumable(tmp_path, run)
    (tmp_path / CHECKPOINT).touch()
    assert resumable(tmp_path, run) == tmp_path / CHECKPOINT


def test_forgetting_drops_the_checkpoint_only(tmp_path):
    for name in (CHECKPOINT, IDENTITY, "events"):
        (tmp_path / name).touch()
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["events"]


def test_the_rate_rises_and_falls():
    rates = [rate(step, 100) for step in range(100)]
    assert rates[0] < rates[3] < rates[5] == pytest.approx(1.0, abs=0.01) and rates[99] < 0.02


def test_tensorboard_gets_the_terms(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    schedule = replace(SCHEDULE, validate_every=10)
    train(line(schedule), tmp_path, {}, data=examples(schedule))
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    assert {"train/square", "train/total", "validation/slope"} <= {*log.Tags()["scalars"]}
    assert len(log.Images("validation")) == 3


def test_what_is_not_said_is_an_error():
    with pytest.raises(NotImplementedError):
        trainer.TrainingModule(nn.Linear(1, 1), SCHEDULE).loss(torch.Generator())
