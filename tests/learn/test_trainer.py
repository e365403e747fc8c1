"""Training by steps: resumed runs, one run per folder, curves, the course of the learning rate."""

from dataclasses import replace

import pytest
import torch
from torch import nn

pytest.importorskip("lightning", reason="lightning is not installed; it is in the extra `train`")

from avatarlab.learn import trainer
from avatarlab.learn.trainer import CHECKPOINT, IDENTITY, Schedule, TrainingModule, forget, rate, resumable, train

SCHEDULE = Schedule(steps=30, batch=16, learning_rate=0.3, checkpoint_every=10)


class Line(TrainingModule):
    """Learns y = 3 x from drawn numbers."""

    def loss(self, generator: torch.Generator) -> dict:
        x = torch.randn(self.schedule.batch, 1, generator=generator)
        with self.half():
            said = self.network(x)
        off = (said.float() - 3 * x).square().mean()
        return {"square": off, "total": off}


def line(schedule: Schedule = SCHEDULE) -> Line:
    torch.manual_seed(0)
    return Line(nn.Linear(1, 1), schedule)


def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path):
    whole, heard = train(line(), tmp_path / "whole", {"a": 1}), []
    train(line(), tmp_path / "parts", {"a": 1}, stop_after=13)
    resumed = train(line(), tmp_path / "parts", {"a": 1}, tell=lambda step, steps, loss: heard.append(step))
    assert heard == list(range(14, 31))
    assert torch.equal(whole.network.weight, resumed.network.weight) and whole.history == resumed.history
    assert abs(float(whole.network.weight.detach()) - 3) < 0.5 and not whole.training


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
    assert resumable(tmp_path, {"seed": 7}, CHECKPOINT) is None
    (tmp_path / CHECKPOINT).touch()
    assert resumable(tmp_path, {"seed": 7}, CHECKPOINT) == tmp_path / CHECKPOINT
    assert resumable(tmp_path, {"seed": 8}, CHECKPOINT) is None and not (tmp_path / CHECKPOINT).exists()


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

    train(line(), tmp_path, {})
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    assert {"train/square", "train/total"} <= {*log.Tags()["scalars"]}


def test_what_is_not_said_is_an_error():
    with pytest.raises(NotImplementedError):
        trainer.TrainingModule(nn.Linear(1, 1), SCHEDULE).loss(torch.Generator())
