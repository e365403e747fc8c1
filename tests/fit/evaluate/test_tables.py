"""The report's keys and figures from made-up people."""

import math
from dataclasses import replace

import pytest

from avatarlab.fit.evaluate.panel import INPUTS, mesh_references, references
from avatarlab.fit.evaluate.tables import METHODS, answers, chosen, flat, refused, rows, written
from avatarlab.lab.metrics import KEY

WANTED = (
    *("mae15_mm", "chest_mae_mm", "waist_mae_mm", "hip_mae_mm", "thigh_mae_mm", "p90_mm"),
    *("floor_mae15_mm", "baseline_mae15_mm", "coverage90_pct", "width90_mm"),
)


@pytest.fixture(scope="module")
def table(tested, records, tmp_path_factory):
    known, meshes = references(tmp_path_factory.mktemp("empty"), tested), mesh_references(tested)
    found = {("a", one): answers(tested, records, None, INPUTS[one], known, meshes) for one in INPUTS}
    return rows(tested, found)


def test_every_method_sex_and_tape_has_its_row(table):
    assert len(table) == len(INPUTS) * len(METHODS) * 3 * 15
    keys = {(r["track"], r["inputs"], r["method"], r["sex"], r["measure"]) for r in table}
    assert len(keys) == len(table)


def test_keys_of_the_issue_are_complete(table):
    figures = flat(table)
    assert {f"a_{inputs}_{name}" for inputs in INPUTS for name in WANTED} <= figures.keys()
    assert all(KEY.fullmatch(key) and math.isfinite(value) for key, value in figures.items())


def test_figures_are_what_was_put_in(table, tested):
    figures = flat(table)
    assert figures["a_front_side_mae15_mm"] == pytest.approx(10, abs=0.01)
    assert figures["a_front_side_geometric_mae15_mm"] == pytest.approx(10, abs=0.01)
    assert figures["a_front_side_coverage90_pct"] == 100
    ratio = figures["a_front_side_mae15_mm"] / figures["a_front_side_floor_mae15_mm"]
    assert figures["a_front_side_floor_ratio"] == pytest.approx(ratio, abs=2e-3)
    no_photo = chosen(table, track="a", inputs="front_side", method="stature", sex="both", measure="waist")
    assert figures["a_front_side_baseline_waist_mae_mm"] == pytest.approx(no_photo[0]["mae_mm"], abs=0.01)


def test_the_ratio_to_the_baseline_is_that_of_the_worst_tape(table):
    figures = flat(table)
    each = [
        figures[f"a_front_side_weight_{t}_mae_mm"] / figures[f"a_front_side_weight_baseline_{t}_mae_mm"]
        for t in ("chest", "waist", "hip", "thigh")
    ]
    assert figures["a_front_side_weight_baseline_ratio"] == pytest.approx(max(each), abs=2e-3)


def test_the_worst_is_the_largest_of_all_sets(table):
    figures = flat(table)
    for name in ("baseline_ratio", "width_ratio", "coverage_off_pct"):
        assert figures[f"worst_{name}"] == max(figures[f"a_{inputs}_{name}"] for inputs in INPUTS)
    assert figures["a_front_side_coverage_off_pct"] == 10 == figures["worst_coverage_off_pct"]


def test_without_a_search_the_fit_is_the_baseline(table):
    """The made-up searches saw both views, so of the front alone nobody is fitted."""
    figures = flat(table)
    assert figures["a_front_mae15_mm"] == figures["a_front_baseline_mae15_mm"]


def test_refused_people_are_named(tested, records):
    changed = [replace(records[0], usable=False), *records[2:]]
    assert refused(tested, changed, INPUTS["front_side"]) == tested.ids[:2]
    assert refused(tested, records, INPUTS["front_side"]) == ()
    assert len(refused(tested, records, INPUTS["front"])) == len(tested.ids)


def test_few_learners_make_no_second_floor(tested, records, tmp_path):
    known = references(tmp_path, tested)
    found = answers(tested, records, None, INPUTS["front"], known, mesh_references(tested.of("male")))
    figures = flat(rows(tested, {("b", "front"): found}))
    assert "mesh_floor" not in found and "b_front_mesh_floor_mae15_mm" not in figures
    assert figures["b_front_floor_mae15_mm"] > 0


def test_the_written_table_has_a_line_per_sex_and_tape(table):
    lines = written(table, "a", "front_side").splitlines()
    assert len(lines) == 1 + 3 * 15
    waist = next(line for line in lines if line.startswith("female  waist"))
    assert waist.split()[2:6] == ["10.0", "10.0", "10.0", "10.0"] and waist.split()[6] == "100.0"
