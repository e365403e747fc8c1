import numpy as np
import pytest

from avatarlab.core.errors import InputError
from avatarlab.measure import survey
from avatarlab.measure.population import main

WANTED = sorted(
    {word for text in survey.MEASURE_COLUMNS.values() for word in text.split() if word.isalpha()}
    | {*survey.FURTHER_COLUMNS, "weightkg"}
)


def write_table(folder, sex: str, columns=WANTED, people: int = 40) -> np.ndarray:
    """A made table of whole millimetres between 500 and 1500."""
    rows = np.random.default_rng(7).integers(500, 1500, (people, len(columns)))
    text = "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)])
    (folder / survey.FILES[sex]).write_text(text + "\n")
    return rows


def test_columns_are_read_in_si_and_combined(tmp_path):
    rows = write_table(tmp_path, "male")
    people = survey.read(tmp_path, "male")
    at = {name: rows[:, k] for k, name in enumerate(WANTED)}
    np.testing.assert_allclose(people["waist"], at["waistcircumference"] / 1e3)
    np.testing.assert_allclose(people["weight"], at["weightkg"] / 10)
    np.testing.assert_allclose(people["shoulder_to_crotch"], (at["acromialheight"] - at["crotchheight"]) / 1e3)
    np.testing.assert_allclose(
        people["arm_length"], (at["acromionradialelength"] + at["radialestylionlength"]) / 1e3
    )


def test_statistics_describe_the_columns():
    rng = np.random.default_rng(7)
    first = rng.normal(1.0, 0.1, 5000)
    table = survey.statistics({"one": first, "two": np.exp(first), "three": rng.normal(0, 1, 5000)})
    assert table["count"] == 5000 and table["mean"][0] == pytest.approx(1.0, abs=0.01)
    assert table["sd"][0] == pytest.approx(0.1, rel=0.05)
    assert table["correlation"][0][1] == 1.0 and abs(table["correlation"][0][2]) < 0.05  # ranks, not values
    assert np.shape(table["quantiles"]) == (3, len(survey.LEVELS)) and len(survey.LEVELS) == 21


def test_ties_are_spread_over_their_rounding_step():
    np.testing.assert_allclose(survey.unrounded(np.array([2.0, 1, 2, 4])), [1, 1.75, 2.25, 4])
    np.testing.assert_allclose(survey.unrounded(np.array([3.0, 3.0])), [3, 3])


def test_the_command_writes_the_file(tmp_path):
    for sex in survey.FILES:
        write_table(tmp_path, sex)
    out = tmp_path / "made.json"
    main([str(tmp_path), str(out)])
    assert out.read_text().startswith("{")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"ANSUR_II_MALE_Public\.csv: no such file"):
        survey.read(tmp_path, "male")


def test_a_missing_column_is_named(tmp_path):
    write_table(tmp_path, "female", [name for name in WANTED if name != "span"])
    with pytest.raises(InputError, match="has no column 'span'"):
        survey.read(tmp_path, "female")


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        main([str(tmp_path)])
