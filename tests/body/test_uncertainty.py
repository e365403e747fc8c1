"""What a person says of its measures survives JSON, and nonsense is refused in one sentence."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatarlab.body import MeasureUncertainty, Uncertainty
from avatarlab.core.errors import InputError

WORDS = st.text("abc é", min_size=1).filter(str.strip)
ENDS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2).map(sorted).map(tuple)
ONE = st.builds(MeasureUncertainty, ENDS, st.floats(0, 100), st.lists(WORDS).map(tuple), st.none() | WORDS)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(WORDS, ONE), WORDS, st.floats(0.01, 0.99), st.booleans())
def test_any_survives_json(measures, definition, coverage, calibrated):
    known = Uncertainty(measures, definition, coverage, calibrated)
    assert Uncertainty.from_json(json.loads(json.dumps(known.as_json(), allow_nan=False))) == known


WAIST = {"interval_cm": [70, 80], "sd_cm": 3, "rests_on": ["population"], "withheld": None}
TABLE = {"measures": {"waist": WAIST}, "definition": "ansur", "coverage": 0.9, "calibrated": True}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"interval_cm": [80, 70]}, "interval \\(80.0, 70.0\\).*expected low <= high"),
        ({"interval_cm": [70]}, "expected low <= high"),
        ({"interval_cm": [70, float("inf")]}, "interval_cm inf, expected a finite number"),
        ({"interval_cm": None}, "interval_cm None"),
        ({"interval_cm": [True, 80]}, "interval_cm True"),
        ({"sd_cm": -1}, "standard deviation -1.0"),
        ({"sd_cm": "3"}, "sd_cm '3', expected a finite number"),
        ({"rests_on": "population"}, "rests_on 'population', expected a list of words"),
        ({"rests_on": [""]}, "rests_on \\[''\\]"),
        ({"withheld": ""}, "withheld '', expected a reason"),
        ({"colour": 1}, "expected just interval_cm, rests_on, sd_cm, withheld"),
    ],
)
def test_impossible_entries_are_refused(entry, says):
    with pytest.raises(InputError, match=says):
        Uncertainty.from_json({**TABLE, "measures": {"waist": {**WAIST, **entry}}})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"coverage": 1.0}, "coverage 1.0, expected a share"),
        ({"coverage": float("nan")}, "coverage nan"),
        ({"definition": 3}, "definition 3"),
        ({"calibrated": 1}, "calibrated 1"),
        ({"measures": [1]}, "no table of measures"),
        ({"measures": {"waist": 3}}, "got 3, expected just interval_cm"),
        ({"more": 1}, "expected just calibrated, coverage, definition, measures"),
    ],
)
def test_impossible_tables_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        Uncertainty.from_json({**TABLE, **change})


def test_only_entries_are_taken():
    with pytest.raises(InputError, match="something else than MeasureUncertainty"):
        Uncertainty({"waist": (70, 80)})
