import dataclasses

import numpy as np
import pytest
from sitters import seen

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, write_npz
from avatarlab.photo import Hands, Observation


def same(a, b):
    """Equality through nested dataclasses and arrays."""
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return a == b


@pytest.mark.parametrize("bare", [False, True])
def test_round_trip(bare, tmp_path):
    observation = seen("astronaut")
    if bare:
        observation = dataclasses.replace(observation, face=None, skin=None, hands=Hands(), findings=())
    path = tmp_path / "observation.npz"
    observation.save(path)
    assert same(Observation.load(path), observation)
    again = tmp_path / "again.npz"
    Observation.load(path).save(again)
    assert again.read_bytes() == path.read_bytes()


def test_hands_come_back_on_their_sides(tmp_path):
    points = np.zeros((21, 3), np.float32)
    observation = dataclasses.replace(seen("astronaut"), hands=Hands(right=points))
    observation.save(tmp_path / "o.npz")
    hands = Observation.load(tmp_path / "o.npz").hands
    assert hands.left is None and np.array_equal(hands.right, points)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mask", np.zeros((3, 3), bool)),
        ("keypoints", np.zeros((17, 3))),
        ("face", np.zeros((468, 3))),
        ("hands", Hands(left=np.zeros((20, 3)))),
    ],
)
def test_wrong_shapes_are_refused(field, value):
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(seen("astronaut"), **{field: value})


def test_clothes_decide_what_it_counts_as():
    one = seen("astronaut")
    assert [one.worn(clothes).capture for clothes in ("any", "tight", "minimal")] == [
        "photo",
        "everyday",
        "studio",
    ]
    with pytest.raises(InputError, match="clothes: got 'coat'"):
        one.worn("coat")
    with pytest.raises(InputError, match="capture: got 'film'"):
        dataclasses.replace(one, capture="film")


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen("astronaut").view = "side"


def test_part_and_codes():
    observation = seen("astronaut")
    assert np.array_equal(observation.part(*Observation.PART_NAMES[1:]), observation.mask)
    assert "legs_cut" in observation.codes


def test_foreign_and_damaged_files(tmp_path):
    path = tmp_path / "o.npz"
    write_npz(path, {"a": np.zeros(3)}, {"schema": "somebody.else/1"})
    with pytest.raises(InputError, match="somebody.else/1"):
        Observation.load(path)
    seen("astronaut").save(path)
    arrays, header = read_npz(path)
    for broken in (arrays | {"mask": arrays["mask"][:5]}, {k: v for k, v in arrays.items() if k != "parts"}):
        write_npz(path, broken, header)
        with pytest.raises(InputError, match="damaged observation"):
            Observation.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(InputError):
        Observation.load(path)
