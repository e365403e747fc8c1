"""What is told of a person: checked in one place, in the unit in which it was told."""

import pickle

import pytest

from avatarlab.core.errors import InputError
from avatarlab.core.subject import CLOTHES, Subject
from avatarlab.photo.observation import CAPTURE_IN


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"stature_m": 175}, r"stature_m: got 175, expected 1 to 2.5 \(metres\). Did you pass centimetres\?$"),
        ({"stature_m": 0.5}, r"stature_m: got 0.5, expected 1 to 2.5 \(metres\).$"),
        ({"stature_m": 1750}, r"stature_m: got 1750, expected 1 to 2.5 \(metres\).$"),
        ({"stature_m": float("nan")}, "stature_m: got nan"),
        ({"stature_m": "tall"}, "stature_m: got 'tall'"),
        ({"stature_m": None}, "stature_m: got None"),
        ({"weight_kg": 5}, r"weight_kg: got 5, expected 20 to 300 \(kilograms\). Leave it out if unknown.$"),
        ({"sex": "man"}, "sex: got 'man', expected one of male, female, unknown.$"),
        ({"clothes": "coat"}, "clothes: got 'coat', expected one of any, tight, minimal.$"),
    ],
)
def test_faults_are_named(given, says):
    with pytest.raises(InputError, match=says):
        Subject(**{"stature_m": 1.75} | given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"stature_cm": 1.75},
            r"^stature_cm: got 1.75, expected 100 to 250 \(centimetres\). Did you pass metres\?$",
        ),
        ({"stature_cm": 1750}, r"^stature_cm: got 1750, .*Did you pass millimetres\?$"),
        ({"stature_cm": 99}, r"^stature_cm: got 99, expected 100 to 250 \(centimetres\).$"),
        ({"weight_kg": 301}, "^weight_kg: got 301"),
    ],
)
def test_centimetres_are_refused_in_centimetres(given, says):
    with pytest.raises(InputError, match=says):
        Subject.of(**{"stature_cm": 175} | given)


def test_centimetres_become_metres_here():
    told = Subject.of(175, 80, "male", "tight")
    assert told == Subject(1.75, 80.0, "male", "tight") and told.unweighed() == Subject(
        1.75, None, "male", "tight"
    )
    assert Subject.of(168.0) == Subject(1.68, None, "unknown", "any")
    assert pickle.loads(pickle.dumps(told)) == told, "it travels between processes"


def test_every_kind_of_clothes_has_a_capture():
    assert {*CAPTURE_IN} == {*CLOTHES}
