"""Figures of a run against the committed ones: tolerances by pattern, texts and counts equal, one line per fault."""

import json
import subprocess

import pytest

from avatarlab.core.errors import InputError
from avatarlab.evaluate import targets
from avatarlab.lab import compare

TABLE = {"20_*.loss": "10 %", "20_*": 0.1, "30_fit.*_mm": 0.05}
COMMITTED = {"20_train": {"loss": 2.0, "steps": 5}, "30_fit": {"error_mm": 7.0, "people": 2, "rows": "ansur2"}}


def with_(stage, key, value):
    return {s: ({**keys, key: value} if s == stage else keys) for s, keys in COMMITTED.items()}


def keys(here, table=TABLE):
    return [f"{one.stage}.{one.key}" for one in compare.differences(here, COMMITTED, table)]


@pytest.mark.parametrize(
    "stage, key, near, far",
    [
        ("20_train", "loss", 2.19, 2.21),  # a share of the committed figure, by the first pattern that fits
        ("20_train", "steps", 5.1, 5.2),  # absolute
        ("30_fit", "error_mm", 6.95, 6.94),
        ("30_fit", "people", 2, 3),  # no pattern: equal
        ("30_fit", "rows", "ansur2", "statistics"),
    ],
)
def test_a_figure_may_be_off_by_its_tolerance_and_no_more(stage, key, near, far):
    assert keys(with_(stage, key, near)) == []
    assert keys(with_(stage, key, far)) == [f"{stage}.{key}"]


def test_figures_on_one_side_only_are_differences():
    here = {
        "20_train": COMMITTED["20_train"],
        "30_fit": {"error_mm": 7.0, "people": 2, "rows": "ansur2", "new": 1},
    }
    assert keys(here) == ["30_fit.new"]
    assert keys({"20_train": COMMITTED["20_train"]}) == ["30_fit.error_mm", "30_fit.people", "30_fit.rows"]
    (line,) = map(str, compare.differences(here, COMMITTED, TABLE))
    assert line == "30_fit.new: 1 here, None committed, allowed nothing"


@pytest.mark.parametrize("value", ["a lot", -1, True, [1], float("nan")])
def test_a_tolerance_that_is_none_is_named(tmp_path, value):
    (tmp_path / "targets.yaml").write_text(json.dumps({"tolerances": {"a.b": value}}))
    with pytest.raises(InputError, match="tolerances.a.b"):
        compare.tolerances(tmp_path / "targets.yaml")


@pytest.fixture
def checkout(tmp_path):
    """A checkout with committed figures; those of the run are the same yet."""
    folder = tmp_path / compare.FOLDER
    folder.mkdir(parents=True)
    for stage, figures in {**COMMITTED, "bench": {"ms": 1.0}, "90_summary": {"x": 1}}.items():
        (folder / f"{stage}.json").write_text(json.dumps(figures))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/targets.yaml").write_text("tolerances: {'20_*': 0.1}\n")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def write(checkout, stage, figures):
    (checkout / compare.FOLDER / f"{stage}.json").write_text(json.dumps(figures))


def test_the_command_compares_with_git(checkout, caplog):
    caplog.set_level("INFO")
    assert compare.main([], checkout) == 0 and "5 of 5 committed figures agree" in caplog.text
    write(checkout, "bench", {"ms": 9.0})  # times are each machine's own
    write(checkout, "20_train", {"loss": 2.05, "steps": 5})
    assert compare.main([], checkout) == 0
    write(checkout, "20_train", {"loss": 2.5, "steps": 5})
    assert compare.main([], checkout) == 1 and "20_train.loss: 2.5 here, 2.0 committed, allowed 0.1" in caplog.text


def test_no_figures_and_no_such_revision_are_one_sentence(checkout, tmp_path, caplog):
    (tmp_path / "empty").mkdir()
    assert compare.main([str(tmp_path / "empty")], checkout) == 2 and "no figures there" in caplog.text
    assert compare.main(["--revision", "nowhere"], checkout) == 2 and "is the revision in it?" in caplog.text


def test_the_labs_own_tolerances_are_read_and_are_no_stage_of_the_targets():
    path = compare.ROOT / "notebooks" / "targets.yaml"
    assert compare.tolerances(path)
    assert compare.TOLERANCES not in targets.read(path)
