"""Weights on disk: float16, a full card, nothing half-written, nothing but safetensors read."""

import subprocess

import pytest
import torch

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.learn import weights

CARD = {"data": "none", "parameters": 3, "commit": "abc", "metrics": {}, "licence": "Apache-2.0"}


def test_round_trip(tmp_path):
    path = tmp_path / "a.safetensors"
    weights.save(path, {"w": torch.tensor([0.5, -2.0]), "n": torch.tensor([3])}, CARD)
    tensors, card = weights.load(path)
    assert tensors["w"].tolist() == [0.5, -2.0] and tensors["w"].dtype == torch.float32
    assert tensors["n"].dtype == torch.int64 and card == CARD


def test_what_does_not_fit_float16_is_refused(tmp_path):
    with pytest.raises(ValueError, match="big: not finite"):
        weights.save(tmp_path / "a.safetensors", {"big": torch.tensor([1e6])}, CARD)
    assert list(tmp_path.iterdir()) == []


def test_a_card_says_everything(tmp_path):
    with pytest.raises(ValueError, match="licence missing"):
        weights.save(tmp_path / "a.safetensors", {}, {k: v for k, v in CARD.items() if k != "licence"})


def test_a_card_is_built_in_one_place():
    card = weights.card("none", {"n": 3}, {"mm": 1.23456, "steps": 7, "table": []}, "Apache-2.0", seed=7)
    assert {*weights.CARD} <= {*card} and card["seed"] == 7
    assert card["metrics"] == {"mm": 1.235, "steps": 7, "table": []}
    assert weights.card("", {}, {"mm": 1.23456}, "", "abc", digits=4)["metrics"] == {"mm": 1.2346}


def test_a_card_names_the_checkout_unless_told_otherwise(monkeypatch, tmp_path):
    assert weights.card("", {}, {}, "", "by stage x")["commit"] == "by stage x"
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", tmp_path, *who, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    monkeypatch.setattr(weights, "ROOT", tmp_path)
    head = subprocess.run(["git", "-C", tmp_path, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    commit = weights.card("", {}, {}, "")["commit"]
    assert len(commit) >= 7 and head.stdout.startswith(commit)


def test_size_counts_what_is_learned():
    module = torch.nn.BatchNorm1d(3)
    assert weights.size(module) == 6  # the running figures are not learned


def test_a_card_names_the_bases_it_rests_on():
    bases = {"body": "b0d1", "skeleton": "5ce1", "face": "face"}
    assert weights.foreign_bases({**CARD, "bases": {"body": "b0d1"}}, bases) == ()
    assert weights.foreign_bases({**CARD, "bases": {"body": "01d", "head": "4ead", "face": "face"}}, bases) == (
        "body",
        "head",
    )
    assert weights.foreign_bases(CARD, bases) == ()


def test_weights_of_another_body_are_told_once_with_the_remedy(caplog):
    card = {**CARD, "bases": {"body": "01d", "skeleton": "5ce1"}}
    for _ in range(2):
        assert not weights.usable_on("guess", card, {"body": "b0d1", "skeleton": "5ce1"}, "nothing is guessed")
    (line,) = caplog.messages
    assert (
        line.startswith("guess: learned on a body of another body, so nothing is guessed")
        and "weights: trained" in line
    )
    assert weights.usable_on("guess", card, card["bases"], "")


def test_where_weights_are():
    assert weights.find("x", "train_x") == ROOT / "models/pretrained/x.safetensors"
    assert weights.find("x", "train_x", "trained") == ROOT / "models/train_x/x.safetensors"
    with pytest.raises(InputError, match="expected one of"):
        weights.find("x", "train_x", "best")


def test_missing_and_damaged(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="no such weights"):
        weights.load(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match="damaged"):
        weights.load(path)
