"""Runs one stage of the pipeline: its notebook, with its parameters, into its place, whole or not at all.

    python -m avatarlab.lab.run <stage> <out>

The notebook of stage `measure` is notebooks/NN_measure.ipynb; it gets the section `measure` of params.yaml,
of `base` what its parameters cell names, and an `out` folder in .run/measure. When every cell has passed, `out`, reports/NN_measure.html, the figures in
reports/metrics/NN_measure.json and the times in reports/timings/NN_measure.json take their places together.
"""

import argparse
import errno
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import avatarlab.lab.quick  # noqa: F401  before anything that loads jsonschema
from avatarlab import ROOT
from avatarlab.core.errors import InputError, nearest
from avatarlab.core.files import publish, read_yaml, remove, write_json
from avatarlab.core.lock import held
from avatarlab.lab import metrics, notebook, params, report
from avatarlab.lab.execute import Failure, Interrupted, execute


def find_notebook(stage: str) -> Path:
    """Return notebooks/NN_<stage>.ipynb; InputError names the nearest stage otherwise."""
    found = notebook.stages()
    if stage not in found:
        known = f"stages are {', '.join(found)}" if found else "there are none in notebooks/"
        raise InputError(f"stage `{stage}`: no notebook of that name{nearest(stage, found)}; {known}.")
    return found[stage]


def check_place(stage: str, out: str) -> Path:
    """Return the absolute output folder; since it will be replaced whole, it must bear the stage's name."""
    place = (ROOT / out).resolve()
    inside = place.is_relative_to(ROOT) and place.parent != ROOT
    if not inside or place.name != stage or place.is_file():
        raise InputError(
            f"out: got {out}, expected a folder of the project that is named after the stage: data/{stage}."
        )
    return place


def check_inputs(stage: str) -> None:
    """Raise InputError for inputs named in dvc.yaml that are not there, with the command that makes them."""
    path = ROOT / "dvc.yaml"
    stages = read_yaml(path).get("stages", {}) if path.exists() else {}
    missing = [dep for dep in stages.get(stage, {}).get("deps", []) if not (ROOT / dep).exists()]
    if missing:
        raise InputError(f"stage `{stage}` needs {', '.join(missing)}, not there yet; run `dvc repro {stage}`.")


def run(stage: str, out: str) -> None:
    """Run ``stage`` and put its results in place; on any error earlier results stay as they are."""
    path = find_notebook(stage)
    place = check_place(stage, out)
    nb = notebook.read(path)
    expected = notebook.parameters(nb, path.name)
    values = params.check(params.section(read_yaml(ROOT / "params.yaml"), stage, expected), expected, stage)
    check_inputs(stage)
    with _workplace(stage) as work:
        seconds = _execute(path, work, values)
        publish(_results(path, work, place, seconds))


def _execute(path: Path, work: Path, values: dict) -> float:
    """Run the notebook in ``work``; return the seconds it took; on failure leave a rendered failed.html."""
    (work / "out").mkdir()
    out = (work / "out").relative_to(ROOT).as_posix()
    begin = time.perf_counter()
    try:
        execute(path, work / "executed.ipynb", values | {"out": out})
    except Failure as failure:
        _report_failure(path, work, failure)
        raise
    return time.perf_counter() - begin


def _report_failure(path: Path, work: Path, failure: Failure) -> None:
    if (work / "executed.ipynb").exists():
        nb = notebook.read(work / "executed.ipynb")
        text = report.page(
            nb, path.stem, notebook.comments(notebook.read(path)), failure=f"{path.name}, {failure}"
        )
        (work / "failed.html").write_text(text, encoding="utf-8")
    for name in ("out", "executed.ipynb"):
        remove(work / name)


def _results(path: Path, work: Path, place: Path, seconds: float) -> dict[Path, Path]:
    """Write report, metrics and timings beside the results; return what goes where."""
    nb = notebook.read(work / "executed.ipynb")
    write_json(work / "metrics.json", metrics.read(work / "out" / "metrics.json"))
    write_json(work / "timings.json", _timings(nb, work / "out" / "timings.json", seconds))
    for name in ("metrics.json", "timings.json"):
        remove(work / "out" / name)
    text = report.page(nb, path.stem, notebook.comments(notebook.read(path)))
    (work / "report.html").write_text(text, encoding="utf-8")
    reports = ROOT / "reports"
    return {
        work / "out": place,
        work / "report.html": reports / f"{path.stem}.html",
        work / "metrics.json": reports / "metrics" / f"{path.stem}.json",
        work / "timings.json": reports / "timings" / f"{path.stem}.json",
    }


def _timings(nb: dict, own: Path, seconds: float) -> dict:
    """Return seconds of the run and of each cell, and what the notebook itself timed in ``timings.json``."""
    own_cells = [cell for cell in nb["cells"] if "injected-parameters" not in notebook.tags(cell)]
    cells = {cell["id"]: cell["metadata"].get("papermill", {}).get("duration") for cell in own_cells}
    cells = {name: round(duration, 3) for name, duration in cells.items() if duration is not None}
    return {
        "seconds": round(seconds, 3),
        "cells_seconds": cells,
        "notebook": json.loads(own.read_text(encoding="utf-8")) if own.exists() else {},
    }


@contextmanager
def _workplace(stage: str) -> Iterator[Path]:
    """Yield an empty .run/<stage>; afterwards keep nothing of it but failed.html. One run per stage at a time."""
    work = ROOT / ".run" / stage
    work.parent.mkdir(exist_ok=True)
    busy = f"stage `{stage}` is running already; wait for it or stop it."
    with held(work.parent / f"{stage}.lock", busy):
        remove(work)
        work.mkdir()
        try:
            yield work
        finally:
            for path in work.iterdir():
                if path.name != "failed.html":
                    remove(path)
            shutil.rmtree(work) if not any(work.iterdir()) else None


def explain(stage: str, error: Exception) -> str:
    """Return the one or two sentences a user sees for ``error``."""
    if isinstance(error, Failure):
        page = f".run/{stage}/failed.html"
        shown = f" The report is {page}." if (ROOT / page).exists() else ""
        return f"{find_notebook(stage).name}, {error}{shown} {RECOVERY}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space left on the disk ({error.filename or ROOT}); free some and run again. {RECOVERY}"
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}. {RECOVERY}"
    return f"{error}"


RECOVERY = "Earlier results are untouched."


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m avatarlab.lab.run", description=__doc__.splitlines()[0])
    parser.add_argument("stage")
    parser.add_argument("out")
    given = parser.parse_args(argv)
    try:
        run(given.stage, given.out)
    except Interrupted as error:
        sys.stderr.write(f"{given.stage}: interrupted; nothing was changed.\n")
        return 128 + error.args[0]
    except (InputError, Failure, OSError) as error:
        sys.stderr.write(f"{explain(given.stage, error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
