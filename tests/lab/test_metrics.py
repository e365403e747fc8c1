"""Metrics files are flat, finite and named for a diff."""

import pytest

from avatarlab.core.errors import InputError
from avatarlab.lab import metrics


def test_good_figures_pass(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text('{"waist_mae_mm": 3.5, "n2": 1, "fits": true, "sex": "male", "10_body__shape": 1}')
    assert metrics.read(path) == {"waist_mae_mm": 3.5, "n2": 1, "fits": True, "sex": "male", "10_body__shape": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "at least one entry"),
        ("[1]", "expected a mapping"),
        ("{", "not JSON"),
        ('{"Waist": 1}', "key `Waist` is not snake_case"),
        ('{"a b": 1}', "key `a b` is not snake_case"),
        ('{"a": [1]}', "`a` is list"),
        ('{"a": {"b": 1}}', "`a` is dict"),
        ('{"a": null}', "`a` is NoneType"),
        ('{"a": NaN}', "`a` is nan"),
        ('{"a": Infinity}', "`a` is inf"),
    ],
)
def test_unfit_figures_are_named(tmp_path, content, words):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        metrics.read(path)
    assert words in str(error.value)


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="wrote none"):
        metrics.read(tmp_path / "metrics.json")
