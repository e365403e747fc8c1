"""Do the figures of this run agree with the committed ones? A figure may differ by its tolerance in targets.yaml.

    python -m avatarlab.lab.compare [FOLDER] [--revision HEAD]

FOLDER holds the figures of a run (default reports/metrics); the committed ones are those of a revision of git. Exit
status 1 and a line per figure where they part. What each machine times (bench.json) is left out, and so is the summary,
which repeats the others.
"""

import argparse
import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_yaml
from avatarlab.evaluate.targets import TOLERANCES

log = logging.getLogger(__name__)

LEFT_OUT = ("bench", "90_summary")
FOLDER = "reports/metrics"


@dataclass(frozen=True)
class Difference:
    """A figure beyond its tolerance; None where one side lacks it."""

    stage: str
    key: str
    here: float | str | bool | None
    committed: float | str | bool | None
    allowed: str

    def __str__(self) -> str:
        return f"{self.stage}.{self.key}: {self.here} here, {self.committed} committed, allowed {self.allowed}"


def tolerances(path: Path) -> dict[str, float | str]:
    """Return the section ``tolerances`` of targets.yaml: pattern of ``stage.key`` -> how far a figure may be off.

    A number in the figure's unit or a text such as ``2 %``; else InputError. The first pattern that fits counts; a
    figure that none fits must be equal.
    """
    table = read_yaml(path).get(TOLERANCES) or {}
    for pattern, value in table.items():
        _allowed(pattern, value, 1.0)
    return table


def _allowed(pattern: str, value: float | str, committed: float) -> float:
    """Return the tolerance in the figure's unit."""
    try:
        share = float(value.removesuffix("%")) / 100 if isinstance(value, str) else None
        size = float(value) if share is None else share * abs(committed)
    except (TypeError, ValueError):
        size = -1.0
    if isinstance(value, bool) or not size >= 0:
        raise InputError(
            f"targets.yaml: {TOLERANCES}.{pattern}: got {value!r}, expected a number or a text such as 2 %."
        )
    return size


def differences(
    here: dict[str, dict], committed: dict[str, dict], table: dict[str, float | str]
) -> list[Difference]:
    """Return the figures, stage -> key -> value, that differ by more than ``table`` allows or stand on one side only."""
    found = []
    for stage in sorted({*here, *committed}):
        mine, theirs = here.get(stage, {}), committed.get(stage, {})
        found += [_compared(stage, key, mine.get(key), theirs.get(key), table) for key in sorted({*mine, *theirs})]
    return [one for one in found if one is not None]


def _compared(stage: str, key: str, here, committed, table: dict[str, float | str]) -> Difference | None:
    pattern = next((p for p in table if fnmatch(f"{stage}.{key}", p)), None)
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (here, committed))
    if pattern is None or not numbers:
        return None if here == committed else Difference(stage, key, here, committed, "nothing")
    # Figures are rounded before they are written: half a digit of a comparison is float's own.
    within = abs(here - committed) <= _allowed(pattern, table[pattern], committed) * (1 + 1e-9)
    return None if within else Difference(stage, key, here, committed, f"{table[pattern]}")


def of_run(folder: Path) -> dict[str, dict]:
    """Return the figures of a run, stage -> key -> value; InputError where there are none."""
    files = {path.stem: path for path in sorted(folder.glob("*.json")) if path.stem not in LEFT_OUT}
    if not files:
        raise InputError(f"{folder}: no figures there; run `make repro` first.")
    return {stage: json.loads(path.read_text(encoding="utf-8")) for stage, path in files.items()}


def of_revision(revision: str, root: Path = ROOT) -> dict[str, dict]:
    """Return the figures that git has at ``revision``; InputError for one that it does not know."""
    names = _git(root, "ls-tree", "--name-only", "-z", revision, f"{FOLDER}/").split("\0")
    stages = {Path(name).stem: name for name in names if name.endswith(".json")}
    return {
        stage: json.loads(_git(root, "show", f"{revision}:{name}"))
        for stage, name in stages.items()
        if stage not in LEFT_OUT
    }


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git failed"])[-1]
        raise InputError(f"git {words[0]}: {reason}. Is this a checkout of avatarlab, and is the revision in it?")
    return done.stdout


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m avatarlab.lab.compare", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=root / FOLDER)
    parser.add_argument("--revision", default="HEAD")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        here, committed = of_run(given.folder), of_revision(given.revision, root)
        found = differences(here, committed, tolerances(root / "notebooks" / "targets.yaml"))
    except InputError as error:
        log.error("%s", error)
        return 2
    for one in found:
        log.info("%s", one)
    count = sum(map(len, committed.values()))
    log.info("%d of %d committed figures agree", count - len(found), count)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
