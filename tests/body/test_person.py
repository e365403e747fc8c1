"""A person survives the disk bit by bit, and nothing that is not one gets in."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from avatarlab.body import Block, MeasureUncertainty, Person, Uncertainty, poses
from avatarlab.body.person import OLD_SKIN_SD
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, write_npz

SHA, OTHER = "ab" * 32, "cd" * 32
FACTS = ("stature_m", "sex", "weight_kg", "placeholder", "uncertainty", "provenance")
KNOWN = Uncertainty(
    {
        "waist": MeasureUncertainty((70.0, 80.0), 3.0, ("front outline", "population")),
        "calf": MeasureUncertainty((30.0, 44.0), 4.0, ("population",), "the legs are not in the picture"),
    },
    calibrated=True,
)


def spread(size: int = 48) -> np.ndarray:
    root = np.random.default_rng(3).normal(size=(size, size))
    return root @ root.T / size


def someone(**changes) -> Person:
    rng = np.random.default_rng(7)
    blocks = {
        "body": Block(rng.normal(size=48), spread(), "body", SHA),
        "face": Block(rng.normal(size=64), np.full(64, 0.5), "face", OTHER),
        "skin": Block([0.8, 0.6, 0.5], 0.01 * np.eye(3), "srgb"),
    }
    facts = {"sex": "female", "weight_kg": 61.5, "provenance": {"photo": "a.jpg", "seed": 7}, "uncertainty": KNOWN}
    return Person(**{"blocks": blocks, "stature_m": 1.68, "state": {"pose": poses.standing()}, **facts, **changes})


def body(sha256: str = SHA):
    """A body with one basis; the sha256 of its file, which older persons name, is the same here."""
    return SimpleNamespace(sha256=sha256, bases={"body": sha256})


def same_block(one: Block, two: Block) -> bool:
    arrays = np.array_equal(one.mean, two.mean) and np.array_equal(one.covariance, two.covariance)
    return arrays and (one.basis, one.basis_sha256) == (two.basis, two.basis_sha256)


def test_saved_and_loaded_is_the_same(tmp_path):
    person = someone(placeholder=True)
    person.save(tmp_path / "p.npz")
    back = Person.load(tmp_path / "p.npz", body())
    for name in FACTS:
        assert getattr(back, name) == getattr(person, name)
    assert back.blocks.keys() == person.blocks.keys() and back.state.keys() == person.state.keys()
    assert all(same_block(back.blocks[name], block) for name, block in person.blocks.items())
    assert np.array_equal(back.state["pose"], poses.standing().numpy())
    assert back.lacks == ()


numbers = st.floats(-4, 4, width=32)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6).flatmap(lambda n: st.tuples(drawn(float, n, elements=numbers), drawn(float, (n, n), elements=numbers))))  # fmt: skip
def test_any_block_survives_the_disk(tmp_path_factory, parts):
    mean, root = parts
    block = Block(mean, root @ root.T, "body", SHA)
    path = tmp_path_factory.mktemp("block") / "p.npz"
    Person({"body": block}, 1.7).save(path)
    back = Person.load(path)
    assert same_block(back.blocks["body"], block)
    assert np.array_equal(block.covariance, block.covariance.T) and block.covariance.dtype == np.float32
    first = path.read_bytes()
    back.save(path)
    assert path.read_bytes() == first


def test_equal_persons_give_equal_bytes(tmp_path):
    for name in "ab":
        someone().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_diagonal_is_stored_as_variances(tmp_path):
    blocks = [Block(np.zeros(3), [1.0, 2.0, 0.0]), Block(np.zeros(3), np.diag([1.0, 2.0, 0.0]))]
    assert same_block(*blocks) and blocks[0].variance.tolist() == [1, 2, 0]
    for name, block in zip("ab", blocks, strict=True):
        Person({"skin": block}, 1.7).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_npz(tmp_path / "a")[0]["block.skin.covariance"].shape == (3,)


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
    with pytest.raises(dataclasses.FrozenInstanceError):
        person.uncertainty.calibrated = False
    for array in (person.blocks["body"].mean, person.blocks["body"].covariance, person.blocks["body"].variance):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_another_body_is_an_error_or_on_request_a_warning(tmp_path, caplog):
    someone().save(tmp_path / "p.npz")
    with pytest.raises(InputError, match="abababababab, not cdcdcdcdcdcd; fit it again or load the body it was"):
        Person.load(tmp_path / "p.npz", body(OTHER))
    assert Person.load(tmp_path / "p.npz", body(OTHER), other_body="warn").stature_m == 1.68
    assert "abababababab" in caplog.text
    with pytest.raises(InputError, match="other_body"):
        Person.load(tmp_path / "p.npz", other_body="ignore")


def test_a_shape_of_no_recorded_body_is_not_taken_for_this_one_s():
    with pytest.raises(InputError, match="the block body is in components of an unrecorded body"):
        someone(blocks={"body": Block(np.zeros(48), np.ones(48))}).check(body())


def test_what_a_body_knows_nothing_of_is_let_through():
    someone().check(body())
    someone(blocks={"face": someone().blocks["face"], "ears": Block([0.0], [1.0], "ears", OTHER)}).check(body())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"stature_m": 175}, "stature_m: got 175.*centimetres"),
        ({"stature_m": float("nan")}, "stature_m"),
        ({"weight_kg": 5}, "weight_kg: got 5"),
        ({"sex": "f"}, "sex: got 'f'"),
        ({"blocks": {"body": Block(np.zeros(49), np.ones(49))}}, "block body: got 49 components"),
        ({"blocks": {"body": np.zeros(48)}}, "block body: got ndarray, expected a Block"),
        ({"state": {"transl": [0, np.inf, 0]}}, "transl: contains NaN"),
        ({"state": {"a.b": np.zeros(1)}}, "'a.b', expected a plain word"),
        ({"provenance": {"when": object()}}, "provenance.*JSON"),
        ({"uncertainty": {"waist": 3}}, "uncertainty: got dict, expected Uncertainty or None"),
    ],
)
def test_impossible_people_are_refused(changes, text):
    with pytest.raises(InputError, match=text):
        someone(**changes)


@pytest.mark.parametrize(
    ("mean", "covariance", "text"),
    [
        (np.zeros(3), np.zeros(4), "expected \\(S,\\) and \\(S, S\\)"),
        (np.zeros(3), np.zeros((3, 4)), "expected \\(S,\\) and"),
        (np.zeros((3, 3)), np.eye(3), "expected \\(S,\\) and"),
        (np.zeros(0), np.zeros(0), "expected \\(S,\\) and"),
        (np.zeros(3), np.float64(1.0), "expected \\(S,\\) and"),
        ([np.nan], np.ones(1), "mean: contains NaN"),
        (np.zeros(1), [np.nan], "covariance: contains NaN"),
        (np.zeros(1), [1e60], "covariance: contains NaN or infinity"),
        (np.zeros(2), [1.0, -0.1], "negative variance \\(-0.1\\)"),
        (np.zeros(2), [[1.0, 0.5], [0.4, 1.0]], "not symmetric \\(0.1"),
        (np.zeros(2), [[1.0, 2.0], [2.0, 1.0]], "not positive semidefinite.*-1"),
    ],
)
def test_what_is_no_covariance_is_refused(mean, covariance, text):
    with pytest.raises(InputError, match=text):
        Block(mean, covariance)


def rewrite(path, out, drop=(), put=(), **header_changes):
    arrays, header = read_npz(path)
    arrays = {name: x for name, x in arrays.items() if name not in drop} | dict(put)
    write_npz(out, arrays, {**header, **header_changes})


def told(**changes):
    table = KNOWN.as_json()
    return {**table, "measures": {"waist": {**table["measures"]["waist"], **changes}}}


BENT = np.eye(48)
BENT[0, 1] = 0.5


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ({"schema": "avatarlab.body/1"}, "schema is 'avatarlab.body/1'"),
        ({"schema": "avatarlab.person/3"}, "schema is 'avatarlab.person/3', expected 'avatarlab.person/2'"),
        ({"schema": [1]}, "schema is \\[1\\]"),
        ({"stature_m": 17.5}, "not a whole person.*stature_m"),
        ({"drop": ["block.body.covariance"]}, "not a whole person.*covariance"),
        ({"put": {"block.body.covariance": np.full(48, np.nan)}}, "not a whole person.*covariance: contains NaN"),
        ({"put": {"block.body.covariance": BENT}}, "not a whole person.*not symmetric"),
        ({"put": {"block.body.covariance": np.ones(47)}}, "not a whole person.*expected \\(S,\\) and"),
        ({"put": {"block.body.mean": np.array(["a"] * 48)}}, "not a whole person"),
        ({"put": {"block.ears.mean": np.ones(1)}}, "it holds block.ears.mean, which no block"),
        ({"put": {"hat": np.ones(1)}}, "it holds hat, which no block"),
        ({"blocks": ["body"]}, "not a whole person"),
        ({"blocks": {"body": {"basis": "body"}}}, "not a whole person.*sha256"),
        ({"provenance": 3}, "not a whole person"),
        ({"provenance": {"a": float("nan")}}, "not a whole person.*provenance"),
        ({"uncertainty": 3}, "not a whole person.*uncertainty"),
        ({"stature_m": 10**400}, "not a whole person"),
        ({"uncertainty": told(sd_cm=10**400)}, "not a whole person"),
        ({"uncertainty": told(interval_cm=[80, 70])}, "not a whole person.*expected low <= high"),
        ({"uncertainty": told(interval_cm=[float("nan"), 70])}, "not a whole person.*interval_cm nan"),
    ],
)
def test_files_that_are_no_whole_person_are_refused(tmp_path, damage, text):
    someone().save(tmp_path / "p.npz")
    rewrite(tmp_path / "p.npz", tmp_path / "q.npz", **damage)
    with pytest.raises(InputError, match=text) as caught:
        Person.load(tmp_path / "q.npz")
    assert str(caught.value).startswith(str(tmp_path / "q.npz")) and "\n" not in str(caught.value)


def test_pickled_arrays_are_never_opened(tmp_path):
    someone().save(tmp_path / "p.npz")
    arrays, header = read_npz(tmp_path / "p.npz")
    arrays["block.body.mean"] = np.array([print], dtype=object)
    np.savez_compressed(tmp_path / "q.npz", header=np.array(json.dumps(header)), **arrays)
    with pytest.raises(InputError, match="q.npz: not a readable npz of plain arrays"):
        Person.load(tmp_path / "q.npz")


def test_a_truncated_file_is_refused(tmp_path):
    someone().save(tmp_path / "p.npz")
    (tmp_path / "q.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:-400])
    with pytest.raises(InputError, match="q.npz: not a readable npz"):
        Person.load(tmp_path / "q.npz")


def test_a_person_that_unpacks_to_gigabytes_is_refused(tmp_path):
    header = json.dumps({"schema": "avatarlab.person/2"})
    np.savez_compressed(tmp_path / "bomb.npz", header=header, **{"state.pose": np.zeros(2**24 + 1)})
    with pytest.raises(InputError, match="129 MB unpacked|128 MB unpacked"):
        Person.load(tmp_path / "bomb.npz")


def write_old(path, **state):
    """A file as the first schema had it."""
    arrays = {"block.body.mean": np.ones(48), "block.body.log_variance": np.log(np.full(48, 0.25))}
    arrays |= {f"state.{name}": np.asarray(x) for name, x in state.items()}
    header = {
        "stature_m": 1.7,
        "sex": "male",
        "weight_kg": None,
        "placeholder": False,
        "provenance": {"made_by": "x"},
    }
    header |= {"schema": "avatarlab.person/1", "body_sha256": SHA}
    write_npz(path, {name: x.astype(np.float32) for name, x in arrays.items()}, header)


def test_an_older_file_is_read_and_says_what_it_lacks(tmp_path, caplog):
    write_old(tmp_path / "p.npz", pose=np.zeros((55, 3)))
    person = Person.load(tmp_path / "p.npz", body())
    assert caplog.text.count("an older file (avatarlab.person/1) without what the photos hid") == 1
    assert person.uncertainty is None and person.lacks == ("what the photos hid", "calibrated intervals")
    assert person.blocks["body"].variance == pytest.approx(np.full(48, 0.25)) and {*person.state} == {"pose"}
    person.save(tmp_path / "q.npz")
    again = Person.load(tmp_path / "q.npz", body())
    assert again.lacks == person.lacks and same_block(again.blocks["body"], person.blocks["body"])
    with pytest.raises(InputError, match="abababababab, not cdcdcdcdcdcd"):
        Person.load(tmp_path / "p.npz", body(OTHER))


def test_identity_among_the_state_of_an_older_file_becomes_blocks(tmp_path):
    write_old(tmp_path / "p.npz", body_covariance=spread(), skin_srgb=[0.8, 0.6, 0.5], transl=np.zeros(3))
    person = Person.load(tmp_path / "p.npz")
    assert np.array_equal(person.blocks["body"].covariance, Block(np.ones(48), spread()).covariance)
    assert person.blocks["skin"].mean == pytest.approx([0.8, 0.6, 0.5])
    assert person.blocks["skin"].variance == pytest.approx(OLD_SKIN_SD**2) and {*person.state} == {"transl"}
