import numpy as np
import pytest

from avatarlab.core.errors import InputError
from avatarlab.measure import MEASURES, population, survey
from avatarlab.measure.definitions import FLEXED_M
from avatarlab.synthetic import survey_rows

COUNTS = {"train": 40, "calibration": 20, "test": 30}


@pytest.fixture(scope="module")
def surveyed():
    if not (survey_rows.ANSUR / survey.FILES["male"]).is_file():
        pytest.skip("shared/data/ansur2 is not there: real rows cannot be drawn")
    return survey_rows.rows(COUNTS)


def test_nobody_is_in_two_splits_and_half_are_women(surveyed):
    for sex in ("male", "female"):
        of = {s: set(surveyed.id[(surveyed.split == s) & (surveyed.sex == sex)]) for s in COUNTS}
        assert {s: 2 * len(ids) for s, ids in of.items()} == COUNTS
        assert len(set.union(*of.values())) == sum(map(len, of.values()))


def test_rows_are_those_of_the_survey(surveyed):
    table = survey.read(survey_rows.ANSUR, "female")
    number = next(k for k, name in enumerate(surveyed.id) if name.startswith("f"))
    row = int(surveyed.id[number][1:])
    assert surveyed.source == "ansur2"
    assert {name: values[number] for name, values in surveyed.columns.items()} == {
        name: values[row] for name, values in table.items()
    }


def test_without_the_tables_rows_come_from_the_statistics_and_say_so(tmp_path):
    drawn = survey_rows.rows(COUNTS, folder=tmp_path)
    assert drawn.source == "statistics"
    assert tuple(drawn.columns) == population.population("male").names
    assert len(set(drawn.id)) == len(drawn) == sum(COUNTS.values())
    means = [drawn.columns["stature"][drawn.sex == sex].mean() for sex in ("male", "female")]
    assert means == pytest.approx([1.756, 1.629], abs=0.04)


def test_flexed_girths_are_relaxed_and_no_others(tmp_path):
    drawn = survey_rows.rows(COUNTS, folder=tmp_path)
    less = drawn.relaxed(MEASURES) - np.stack([drawn.columns[name] for name in MEASURES], 1)
    for sex in ("male", "female"):
        expected = [-FLEXED_M[sex].get(name, 0.0) for name in MEASURES]
        assert np.allclose(less[drawn.sex == sex], expected, atol=1e-12)


def test_who_is_in_which_split_does_not_depend_on_how_many_are_asked_for(surveyed):
    more = survey_rows.rows({"train": 300, "calibration": 200, "test": 240})
    for split in COUNTS:
        few, many = (x.id[x.split == split].tolist() for x in (surveyed, more))
        assert many[: len(few)] == few
    assert len(set(more.id)) == len(more)


def test_splits_of_all_people_share_nobody():
    splits = survey_rows.order("female", 1986)
    assert len(np.unique(np.concatenate(list(splits.values())))) == sum(map(len, splits.values())) == 1960


def test_odd_and_impossible_counts_are_refused(surveyed):
    with pytest.raises(InputError, match="test: expected an even number"):
        survey_rows.rows(COUNTS | {"test": 3})
    with pytest.raises(InputError, match="people of sex (fe)?male are asked for"):
        survey_rows.rows(COUNTS | {"train": 4000})
