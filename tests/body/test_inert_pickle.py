"""The reader of pickles says the same as Python's own on harmless data, and runs nothing on harmful data."""

import collections
import os
import pickle
import random

import pytest

from avatarlab.body import inert_pickle
from avatarlab.body.inert_pickle import Global, InertObject
from avatarlab.core.errors import InputError

PLAIN = {
    "numbers": [
        0,
        1,
        -1,
        255,
        256,
        65536,
        -(2**31),
        2**40,
        -(2**70),
        2**3000,
        1.5,
        -0.0,
        float("inf"),
        True,
        False,
    ],
    "text": ["", "a", "ü\n\\ \U0001f600", "x" * 300, b"", b"\x00\xff", b"y" * 70000, bytearray(b"abc"), None],
    7: [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, [[]], {"a": {"b": (None,)}}],
}


def read(tmp_path, content: bytes, known=lambda module, name: False):
    (tmp_path / "a.pkl").write_bytes(content)
    return inert_pickle.read(tmp_path / "a.pkl", known)


def without_codecs(value):
    """Old protocols write bytes as a call of _codecs.encode and bytearrays as one of bytearray; undo it."""
    if isinstance(value, InertObject):
        return without_codecs(value.args[0]).encode("latin1") if value.maker.name == "encode" else b"abc"
    if isinstance(value, (list, tuple)):
        return type(value)(map(without_codecs, value))
    return {k: without_codecs(x) for k, x in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_those_of_pythons_own_reader(tmp_path, protocol):
    known = {
        ("_codecs", "encode"),
        ("builtins", "bytearray"),
        ("__builtin__", "bytearray"),
        ("__builtin__", "bytes"),
    }
    plain = {**PLAIN, "text": [x for x in PLAIN["text"] if x != b""]}
    content = pickle.dumps(plain, protocol)
    assert without_codecs(read(tmp_path, content, lambda *name: name in known)) == pickle.loads(content)


def test_shared_values_stay_shared_and_cycles_close(tmp_path):
    row = [1]
    row.append(row)
    back = read(tmp_path, pickle.dumps({"a": row, "b": row}))
    assert back["a"] is back["b"] and back["a"][1] is back["a"]


def test_sets_are_lists(tmp_path):
    assert read(tmp_path, pickle.dumps([{3}, frozenset({4})], 4)) == [[3], [4]]


def test_python_2_strings_are_bytes(tmp_path):
    assert read(tmp_path, b"(dp0\nS'a\\x00\\n\\''\np1\nI01\nsS\"b'\"\np2\nL5L\ns.") == {
        b"a\x00\n'": True,
        b"b'": 5,
    }
    assert read(tmp_path, b"\x80\x02U\x03abcq\x00T\x02\x00\x00\x00hi\x86.") == (b"abc", b"hi")


def test_an_object_is_recorded_not_made(tmp_path):
    value = collections.OrderedDict(a=1)
    value.secret = 2
    back = read(tmp_path, pickle.dumps(value), lambda *name: name == ("collections", "OrderedDict"))
    assert isinstance(back, InertObject) and back.maker == Global("collections", "OrderedDict")
    assert back.items == {"a": 1} and back.state == {"secret": 2}


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_a_known_class_may_not_become_another(tmp_path):
    """Setting __class__ and __dict__ through BUILD changes a record, never an object."""
    content = b"\x80\x02cnumpy\nndarray\n)\x81}(X\t\x00\x00\x00__class__cnumpy\nndarray\nX\x08\x00\x00\x00__init__K\x01ub."
    back = read(tmp_path, content, lambda module, name: module == "numpy")
    assert type(back) is InertObject and back.state["__init__"] == 1


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, eval, exec, getattr, __import__, pickle.loads, os.rename])
def test_calls_are_refused_by_name_and_do_not_run(tmp_path, protocol, function):
    marker = tmp_path / "ran"
    content = pickle.dumps({"v_template": Calls(function, f"touch {marker}")}, protocol)
    with pytest.raises(InputError, match=f"a.pkl: asks for '.*{function.__name__}', .*nothing was run"):
        read(tmp_path, content, lambda module, name: module.startswith("numpy"))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cposix\nsystem\nS'true'\no.", "posix.system"),
        (b"\x80\x02cos\nsystem\n)\x81.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.", "os.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__class__x\x93.", "numpy.ndarray.__class__x"),
        (b"c__main__\n\x1b[2Jx\n.", r"__main__.\\x1b\[2Jx"),
    ],
)
def test_every_way_of_naming_a_class_is_checked(tmp_path, content, expected):
    with pytest.raises(InputError, match=f"asks for '{expected}'"):
        read(tmp_path, content, lambda *name: name == ("numpy", "ndarray"))


@pytest.mark.parametrize(
    "content", [b"\x82\x01.", b"\x83\x01\x00.", b"P1\n.", b"N.Q."[2:], b"\x97.", b"\x98.", b"\xff."]
)
def test_instructions_that_reach_outside_are_refused(tmp_path, content):
    with pytest.raises(InputError, match="uses pickle instruction"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x8e" + (2**60).to_bytes(8, "little") + b"abc.",
        b"\x8b\xff\xff\xff\xff.",
        b"T\xff\xff\xff\xff.",
        b"(((.",
        b".",
        b"R.",
        b"NNR.",
        b"Nb.",
        b"NNb.",
        b"NNa.",
        b"NNNs.",
        b"]]Ns.",
        b"}]Ns.",
        b"}(Nu.",
        b"h\x07.",
        b"I" + b"9" * 5000 + b"\n.",
        b"S'abc\n.",
        b"X\x01\x00\x00\x00\xff.",
        b"NN\x93.",
        b"V" + b"\\ud8zz\n.",
    ],
)
def test_damaged_pickles_are_refused(tmp_path, content):
    with pytest.raises(InputError, match="a.pkl: not a whole pickle"):
        read(tmp_path, content)


def test_deep_nesting_is_no_key_and_dies_quietly(tmp_path):
    with pytest.raises(InputError, match="not a whole pickle"):
        read(tmp_path, b"})" + b"\x85" * 300_000 + b"Ns.")
    chain = b"ca\nb\nq\x000N" + b"\x85q\x010h\x00h\x01R" * 60_000
    assert isinstance(read(tmp_path, chain + b".", lambda *name: True), InertObject)


def test_chosen_numbers_with_one_hash_are_no_keys(tmp_path):
    with pytest.raises(InputError, match="not a whole pickle"):
        read(tmp_path, pickle.dumps({2**61 - 1: 1}))


def test_a_flood_of_instructions_is_refused(tmp_path):
    with pytest.raises(InputError, match="pickle instructions, which no model file needs"):
        read(tmp_path, b"N0" * (inert_pickle.LIMIT_INSTRUCTIONS // 2 + 1) + b"N.")


def test_empty_missing_and_too_large_files_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is empty"):
        read(tmp_path, b"")
    with pytest.raises(InputError, match="is a directory"):
        inert_pickle.read(tmp_path, lambda *name: True)
    with pytest.raises(InputError, match="no such file"):
        inert_pickle.read(tmp_path / "none", lambda *name: True)
    monkeypatch.setattr(inert_pickle, "LIMIT_MB", 0)
    with pytest.raises(InputError, match="larger than 0 MB"):
        read(tmp_path, b"N.")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_any_damage_is_an_input_error_or_harmless(tmp_path, protocol):
    some = {"numbers": PLAIN["numbers"][4:8], "text": ["ü", b"b"], "lists": PLAIN[7]}
    content = pickle.dumps({**some, "call": Calls(os.system, "false")}, protocol)
    rng = random.Random(7)
    for k in range(0, len(content), 2):
        damaged = bytearray(content)
        damaged[k] = rng.randrange(256)
        for variant in (content[:k], bytes(damaged)):
            try:
                read(tmp_path, variant, lambda module, name: rng.random() < 0.5)
            except InputError:
                continue
