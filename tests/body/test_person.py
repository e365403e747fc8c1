"""A person survives the disk bit by bit, and nothing that is not one gets in."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from avatarlab.body import Block, Person, poses
from avatarlab.errors import InputError
from avatarlab.files import read_npz, write_npz

SHA = "ab" * 32


def someone(**changes) -> Person:
    rng = np.random.default_rng(7)
    blocks = {
        "body": Block(rng.normal(size=48), np.full(48, -2.0)),
        "face": Block(rng.normal(size=64), np.zeros(64)),
    }
    facts = {"sex": "female", "weight_kg": 61.5, "body_sha256": SHA, "provenance": {"photo": "a.jpg", "seed": 7}}
    return Person(**{"blocks": blocks, "stature_m": 1.68, "state": {"pose": poses.standing()}, **facts, **changes})


def test_saved_and_loaded_is_the_same(tmp_path):
    person = someone(placeholder=True)
    person.save(tmp_path / "p.npz")
    back = Person.load(tmp_path / "p.npz", SHA)
    for name in ("stature_m", "sex", "weight_kg", "placeholder", "body_sha256", "provenance"):
        assert getattr(back, name) == getattr(person, name)
    assert back.blocks.keys() == person.blocks.keys() and back.state.keys() == person.state.keys()
    for name, block in person.blocks.items():
        assert np.array_equal(back.blocks[name].mean, block.mean)
        assert np.array_equal(back.blocks[name].log_variance, block.log_variance)
    assert np.array_equal(back.state["pose"], poses.standing().numpy())


def test_equal_persons_give_equal_bytes(tmp_path):
    for name in "ab":
        someone().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_betas_hold_every_block_in_its_slots():
    person = someone()
    betas = person.betas()
    assert betas.shape == (300,) and betas.dtype == torch.float32
    assert np.array_equal(betas[:48], person.blocks["body"].mean)
    assert np.array_equal(betas[48:112], person.blocks["face"].mean)
    assert not betas[112:].any()


def test_a_person_cannot_be_changed():
    person = someone()
    with pytest.raises(dataclasses.FrozenInstanceError):
        person.sex = "male"
    with pytest.raises(ValueError, match="read-only"):
        person.blocks["body"].mean[0] = 1


def test_another_body_is_an_error_or_on_request_a_warning(tmp_path, caplog):
    someone().save(tmp_path / "p.npz")
    with pytest.raises(InputError, match="abababababab, not cdcdcdcdcdcd"):
        Person.load(tmp_path / "p.npz", "cd" * 32)
    assert Person.load(tmp_path / "p.npz", "cd" * 32, other_body="warn").stature_m == 1.68
    assert "abababababab" in caplog.text
    with pytest.raises(InputError, match="other_body"):
        Person.load(tmp_path / "p.npz", other_body="ignore")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"stature_m": 175}, "stature_m: got 175.*centimetres"),
        ({"stature_m": float("nan")}, "stature_m"),
        ({"weight_kg": 5}, "weight_kg: got 5"),
        ({"sex": "f"}, "sex: got 'f'"),
        ({"blocks": {"body": Block(np.zeros(49), np.zeros(49))}}, "block body: got 49 components"),
        ({"state": {"transl": [0, np.inf, 0]}}, "transl: contains NaN"),
        ({"state": {"a.b": np.zeros(1)}}, "'a.b', expected a plain word"),
        ({"provenance": {"when": object()}}, "provenance.*JSON"),
    ],
)
def test_impossible_people_are_refused(changes, text):
    with pytest.raises(InputError, match=text):
        someone(**changes)


def test_a_block_needs_a_variance_for_each_component():
    with pytest.raises(InputError, match="expected both"):
        Block(np.zeros(3), np.zeros(4))
    with pytest.raises(InputError, match="mean: contains NaN"):
        Block(np.array([np.nan]), np.zeros(1))


def rewrite(path, out, drop=(), **header_changes):
    arrays, header = read_npz(path)
    arrays = {name: x for name, x in arrays.items() if name not in drop}
    write_npz(out, arrays, {**header, **header_changes})


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ({"schema": "avatarlab.body/1"}, "schema is 'avatarlab.body/1'"),
        ({"stature_m": 17.5}, "not a whole person.*stature_m"),
        ({"drop": ["block.body.log_variance"]}, "not a whole person.*log_variance"),
        ({"provenance": 3}, "not a whole person"),
    ],
)
def test_files_that_are_no_whole_person_are_refused(tmp_path, damage, text):
    someone().save(tmp_path / "p.npz")
    rewrite(tmp_path / "p.npz", tmp_path / "q.npz", **damage)
    with pytest.raises(InputError, match=text):
        Person.load(tmp_path / "q.npz")


def test_a_truncated_file_is_refused(tmp_path):
    someone().save(tmp_path / "p.npz")
    (tmp_path / "q.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:-400])
    with pytest.raises(InputError, match="q.npz: not a readable npz"):
        Person.load(tmp_path / "q.npz")


def test_a_person_that_unpacks_to_gigabytes_is_refused(tmp_path):
    header = json.dumps({"schema": "avatarlab.person/1"})
    np.savez_compressed(tmp_path / "bomb.npz", header=header, **{"state.pose": np.zeros(2**24 + 1)})
    with pytest.raises(InputError, match="129 MB unpacked|128 MB unpacked"):
        Person.load(tmp_path / "bomb.npz")
