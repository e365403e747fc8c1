"""Weights on disk: float16, a full card, nothing half-written, nothing but safetensors read."""

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


def test_a_card_names_the_bases_it_rests_on():
    bases = {"body": "b0d1", "skeleton": "5ce1", "face": "face"}
    assert weights.foreign({**CARD, "bases": {"body": "b0d1"}}, bases) == ()
    assert weights.foreign({**CARD, "bases": {"body": "01d", "head": "4ead", "face": "face"}}, bases) == (
        "body",
        "head",
    )
    assert weights.foreign(CARD, bases) == ()


def test_weights_of_another_body_are_told_once_with_the_remedy(caplog):
    card = {**CARD, "bases": {"body": "01d", "skeleton": "5ce1"}}
    for _ in range(2):
        assert not weights.fit_body("guess", card, {"body": "b0d1", "skeleton": "5ce1"}, "nothing is guessed")
    (line,) = caplog.messages
    assert (
        line.startswith("guess: learned on a body of another body, so nothing is guessed")
        and "weights: trained" in line
    )
    assert weights.fit_body("guess", card, card["bases"], "")


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
