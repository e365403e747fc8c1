"""A vertical in one file: data, model, train, predict, evaluate, and a kind of job that a real child process makes."""

import asyncio
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from avatarlab.core.errors import InputError
from avatarlab.service.child import Children
from avatarlab.service.jobs import CallbackURL, JobProgress, Key, Manifest, SubjectName, read_job, result_key
from avatarlab.service.kinds import Handlers, Job, JobKind, kind_named
from avatarlab.service.local_queue import LocalQueue
from avatarlab.service.messages import Artifacts
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage

LINE = (2.0, -1.0)


# data: examples with known truth, drawn from a generator
def examples(generator: torch.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(count, 1, generator=generator)
    return x, LINE[0] * x + LINE[1] + 0.01 * torch.randn(count, 1, generator=generator)


# train: on learn
def trained(folder: Path) -> Path:
    """Train a line, write weights and card; their path."""
    from avatarlab.learn import trainer, weights

    class LineTraining(trainer.TrainingModule):
        def loss(self, batch: torch.Generator) -> dict[str, torch.Tensor]:
            x, y = examples(batch, self.schedule.batch)
            return {"total": (self.network(x) - y).square().mean()}

    torch.manual_seed(7)
    schedule = trainer.Schedule(steps=150, batch=32, learning_rate=0.1, weight_decay=0.0)
    module = trainer.train(LineTraining(nn.Linear(1, 1), schedule), folder / "run", {"toy": 1})
    card = weights.card(data="made up", parameters={"steps": 150}, metrics={}, licence="CC0", commit="toy")
    weights.save(folder / "toy.safetensors", module.network.state_dict(), card)
    return folder / "toy.safetensors"


# predict: the public door
def predict(path: Path, x: np.ndarray) -> np.ndarray:
    from avatarlab.learn import weights

    network = nn.Linear(1, 1)
    network.load_state_dict(weights.load(path)[0])
    with torch.no_grad():
        return network(torch.as_tensor(x, dtype=torch.float32)[:, None])[:, 0].numpy()


# evaluate: figures against their targets, on evaluate
def scored(path: Path, people: int = 40) -> list:
    """The flat figures of people who were not learned from, each with its target."""
    from avatarlab.evaluate import targets

    x, y = (part[:, 0].numpy() for part in examples(torch.Generator().manual_seed(1), people))
    figures = {"error_mean": float(np.abs(predict(path, x) - y).mean())}
    return targets.compare({"toy": figures}, {"toy": {"error_mean": {"at_most": 0.05}}})


# the kind of job
class ToyJob(Job):
    """Numbers in a file in, their predictions out."""

    kind: Literal["toy"] = "toy"
    subject: SubjectName
    numbers_key: Key
    callback_url: CallbackURL | None = None


class Handler:
    """What the child process holds."""

    def make(self, task, report) -> Artifacts:
        """Write predictions.json."""
        report(JobProgress(stage="think", percent=50))
        x = np.array(json.loads(task.inputs["numbers"].read_text()), float)
        if not x.size:
            raise InputError("numbers: got none, expected at least one.")
        (task.out / "predictions.json").write_text(json.dumps((LINE[0] * x + LINE[1]).tolist()))
        return Artifacts({"predictions.json": "application/json"}, False, [], [], {"think": 0.0}, {"toy": "1"})


TOY = JobKind("toy", ToyJob, "test_toy_vertical:load", ("think",), ("predictions.json",))


def load(settings) -> Handler:
    return Handler()


def idle(settings) -> Handlers:
    """Handlers whose default kind is not loaded: this test needs no body."""
    return Handlers(settings)


def test_it_learns_and_is_scored(tmp_path):
    assert [row.met for row in scored(trained(tmp_path))] == [True]


@pytest.mark.parametrize(("numbers", "state"), [([1.0, 3.0], "completed"), ([], "failed")])
def test_a_job_of_a_new_kind_goes_through_queue_and_child(tmp_path, monkeypatch, numbers, state):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    settings = ServiceSettings(_env_file=None, job_kinds="test_toy_vertical:TOY")
    storage, stages = FolderStorage(tmp_path / "store", "http://127.0.0.1:1", "for-tests-only" * 4), []
    id = "00000000-0000-4000-8000-000000000007"

    async def run():
        children = Children(idle, settings)
        queue = LocalQueue(tmp_path / "jobs", settings, storage, children)
        await queue.start()
        try:
            storage.write("inputs/x.json", json.dumps(numbers).encode(), "application/json")
            job = read_job({"kind": "toy", "subject": "a line", "numbers_key": "inputs/x.json"})
            assert await queue.add(id, job)
            async with asyncio.timeout(60):
                while (ticket := await queue.find(id)).state not in ("completed", "failed"):
                    stages.append(ticket.progress and ticket.progress.stage)
                    await asyncio.sleep(0.01)
            return ticket
        finally:
            await queue.close()
            await children.close()

    ticket = asyncio.run(run())
    assert ticket.state == state and ticket.job.kind == "toy"
    data = storage.read(result_key(id, "manifest.json"))
    if state == "failed":
        assert "expected at least one" in ticket.reason and data is None
        return
    manifest = Manifest.model_validate_json(data)
    assert manifest.job == ticket.job and list(manifest.files) == ["predictions.json"]
    assert json.loads(storage.read(result_key(id, "predictions.json"))) == [1.0, 5.0]


def test_an_unknown_kind_is_refused_with_those_that_are_known():
    with pytest.raises(InputError, match=r"kind: got 'film', expected one of avatar"):
        read_job({"kind": "film", "subject": "x"})
    assert kind_named("avatar").stages[0] == "observe"
