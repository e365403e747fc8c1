"""Tiny trainings: the loss falls, a stopped run goes on as if it had not been, two processes train as one."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("lightning", reason="lightning is not installed; it is in the extra `train`")

from avatarlab.core.files import sha256
from avatarlab.fit.regressor import train as training
from avatarlab.fit.regressor.evaluate import shown
from avatarlab.fit.regressor.loss import Loss, total
from avatarlab.fit.regressor.model import Regressor
from avatarlab.fit.regressor.predict import FirstGuess
from avatarlab.fit.regressor.train import RegressorSettings, publish, train

TINY = RegressorSettings(rounds=2, people=8, passes=2, batch=4, width=4, hard_people=0, lined=12, checked=2)


BY_HEART = 300
"""Steps within which eight people are known; 30 to 60 are usual, and which of them it is hangs on the body's digits."""


@pytest.fixture(scope="module")
def trained(open_body, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(open_body, TINY, folder), folder


def numbers(module) -> dict[str, torch.Tensor]:
    return module.network.state_dict()


def test_a_few_people_are_learned_by_heart(open_body, people):
    torch.manual_seed(0)
    network, loss, seen = Regressor(4), Loss(open_body), shown(people, "front_side")
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    first, left = {}, {"tape", "turn", "points", "shape"}
    for step in range(1, BY_HEART + 1):
        optimizer.zero_grad()
        terms = loss(network, network(seen), seen, people)
        total(terms).backward()
        optimizer.step()
        values = {name: round(float(term.detach()), 3) for name, term in terms.items()}
        first = first or values
        left = {name for name in left if values[name] > 0 and values[name] > 0.6 * first[name]}
        pred = f"after {step} steps {left} are not below 60 % of {first}, but at {values}"
        if not left:
            break
    assert not left, pred


def test_a_stopped_run_goes_on_as_if_it_had_not(open_body, trained, tmp_path):
    train(open_body, TINY, tmp_path, stop_after=1)
    resumed = train(open_body, TINY, tmp_path)
    assert resumed.validations == trained[0].validations and len(resumed.validations) == 2
    assert resumed.history == trained[0].history
    for name, value in numbers(trained[0]).items():
        assert torch.equal(value, numbers(resumed)[name]), name


def test_other_settings_or_another_body_are_another_run(open_body):
    run = training.identity(open_body, TINY, None)
    assert run == training.identity(open_body, TINY, None)
    assert run != training.identity(open_body, replace(TINY, seed=8), None)


def test_tensorboard_gets_curves_and_overlays(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(trained[1]))
    log.Reload()
    assert {"train/total", "train/tape", "validation/pose_deg"} <= {*log.Tags()["scalars"]}
    assert log.Tags()["images"] == ["validation"]


def test_equal_weights_give_equal_files_that_load(open_body, trained, tmp_path):
    files = [tmp_path / f"{k}.safetensors" for k in range(2)]
    for file in files:
        publish(file, trained[0], open_body, None, "test")
    assert sha256(files[0]) == sha256(files[1])
    guess = FirstGuess.load(files[0])
    assert guess.card["bases"] == {name: open_body.bases[name] for name in ("body", "skeleton")}
    last = trained[0].validations[-1]["front_mae15_mm"]
    assert guess.card["metrics"]["front_mae15_mm"] == round(last, 3) and "step" not in guess.card["metrics"]
    assert guess.card["parameters"]["width"] == 4 and "No calibration or test people" in guess.card["data"]


@pytest.mark.slow
def test_two_processes_train_together(open_body, tmp_path):
    module = train(open_body, replace(TINY, rounds=1, devices=2), tmp_path)
    assert len(module.validations) == 1 and all(torch.isfinite(x).all() for x in numbers(module).values())
