"""The summary's comparison of figures with targets."""

import json

import pytest

from avatarlab.core.errors import InputError
from avatarlab.evaluate import targets
from avatarlab.lab import metrics

FIGURES = {"10_body": {"error_mm": 0.5, "bytes": 3_000_000, "loads": True}, "40_measure": {"free_cm": 2.0}}
WANTED = {
    "10_body": {
        "error_mm": {"at_most": 1.0},
        "bytes": {"at_most": 2_000_000},
        "loads": {"equals": True},
        "absent": {"at_least": 1},
    },
    "50_export": None,
}


def test_each_figure_is_judged_and_missing_ones_count_as_short():
    rows = {row.key: row for row in targets.compare(FIGURES, WANTED)}
    assert [rows[k].met for k in ("error_mm", "bytes", "loads", "absent", "free_cm")] == [
        True,
        False,
        True,
        False,
        None,
    ]
    assert rows["error_mm"].share == 0.5 and rows["bytes"].share == 1.5 and rows["loads"].share is None
    assert rows["absent"].value is None and rows["bytes"].target == "at most 2,000,000"


def test_at_least_shares_grow_when_short():
    (row,) = targets.compare({"a": {"iou": 0.8}}, {"a": {"iou": {"at_least": 0.9}}})
    assert not row.met and row.share == pytest.approx(1.125)


def test_flat_figures_pass_the_runner(tmp_path):
    flat = targets.flat(FIGURES, targets.compare(FIGURES, WANTED))
    assert flat["10_body__error_mm"] == 0.5
    assert [flat[k] for k in ("targets", "targets_met", "targets_missed", "targets_without_figure")] == [
        4,
        2,
        1,
        1,
    ]
    (tmp_path / "metrics.json").write_text(json.dumps(flat))
    assert metrics.read(tmp_path / "metrics.json") == flat


def test_table_is_red_where_short_and_escapes():
    rows = targets.compare({"a": {"x": "<b>"}}, {"a": {"y": {"at_most": 1}}})
    page = targets.table(rows)
    assert "&lt;b&gt;" in page and "missing" in page and targets.PALETTE["red"] in page
    assert targets.PALETTE["green"] not in page


def test_many_figures_without_a_target_are_cut_short_and_counted():
    figures = {"a": {f"n{k:03d}": k for k in range(targets.SHOWN + 5)} | {"y": 0}}
    page = targets.table(targets.compare(figures, {"a": {"y": {"at_most": 1}}}))
    assert page.count("<tr style") == targets.SHOWN + 1 and "and 5 more in reports/metrics/a.json" in page


def test_files_are_read_and_absent_ones_left_out(tmp_path):
    (tmp_path / "10_body.json").write_text('{"a": 1}')
    assert targets.figures(tmp_path, ["10_body", "40_measure"]) == {"10_body": {"a": 1}}


@pytest.mark.parametrize("rule", ["{at_mots: 1}", "3", "{}", "{at_most: 1, at_least: 0}"])
def test_a_misspelt_rule_is_refused(tmp_path, rule):
    path = tmp_path / "targets.yaml"
    path.write_text(f"10_body:\n  error_mm: {rule}\n")
    with pytest.raises(
        InputError, match=r"targets.yaml: 10_body.error_mm must be one of at_most, at_least, equals"
    ):
        targets.read(path)
