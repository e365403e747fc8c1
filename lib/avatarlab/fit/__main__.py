"""Fit a folder of people.

    python -m avatarlab.fit DIR --stature-cm 178

DIR holds people.csv (columns name, front, side, stature_cm, weight_kg, sex, clothes; all but name may be empty) or
just photos called anna_front.jpg, anna_side.jpg (or anna.jpg, a front view). Photos are JPEG, PNG, WebP or HEIC inside
DIR. Results go to DIR/fitted: a folder per person (person.npz, measurements.json, quality.json, overlays), results.csv
and contact_sheet.png. Run it again after an interruption, or after adding people or photos: what is finished and
unchanged is kept. Exit status: 0 all fitted, 1 somebody failed, 2 nothing could be begun, 130 interrupted.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from avatarlab.body.model import find
from avatarlab.core.errors import InputError, number
from avatarlab.fit.batch.cluster import AUTO
from avatarlab.fit.batch.contact_sheet import write_results, write_sheet
from avatarlab.fit.batch.folder import FolderSettings, Status, statuses
from avatarlab.fit.batch.people_csv import entries
from avatarlab.fit.cases import FACTS
from avatarlab.fit.external import KINDS
from avatarlab.learn.weights import WHICH
from avatarlab.measure import DEFINITIONS


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m avatarlab.fit", description=__doc__, formatter_class=form)
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder of photos")
    parser.add_argument("--out", type=Path, help="where results go (default: DIR/fitted)")
    for name, unit in (("stature", "cm"), ("weight", "kg")):
        parser.add_argument(f"--{name}-{unit}", default="", help=f"{name} ({unit}) of whom people.csv gives none")
    parser.add_argument(
        "--clothes", default="", help="minimal, tight, or any (the default), of whom people.csv gives none"
    )
    parser.add_argument("--sex", default="", help="male, female or unknown, of whom people.csv gives none")
    parser.add_argument(
        "--definition", choices=list(DEFINITIONS), default="ansur", help="whose tape (default: %(default)s)"
    )
    parser.add_argument(
        "--body", type=Path, help="body file (default: a licensed one if there is, else the open one)"
    )
    parser.add_argument(
        "--weights", choices=WHICH, default=WHICH[0], help="learned weights (default: %(default)s)"
    )
    parser.add_argument(
        "--regressor",
        choices=KINDS,
        default=KINDS[0],
        help="outside first guess, see docs/licensed.md (%(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, help="processes (default: one per core), or jobs at once on a cluster"
    )
    parser.add_argument(
        "--cluster", nargs="?", const=AUTO,
        help="run on a cluster through submitit: slurm, local or auto (default where no name is given)",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = arguments().parse_args(argv)
    try:
        with _only_errors():
            people = _fitted(given)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; finished people are kept, run it again for the rest.\n")
        return 130
    except (InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return int(any(fate.state == "failed" for fate in people))


@contextmanager
def _only_errors() -> Iterator[None]:
    """The lab's warnings stand in quality.json; among the lines of a folder they would drown what matters."""
    log = logging.getLogger("avatarlab")
    former = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(former)


def _fitted(given: argparse.Namespace) -> list[Status]:
    """Fit everybody, a line each, and write what it comes to."""
    if given.workers is not None:
        number("--workers", given.workers, 0, 1000, "processes; 0 works in this one")
    out = given.out or given.folder / "fitted"
    facts = {name: getattr(given, name) for name in FACTS}
    settings = FolderSettings(
        str(find(given.body).resolve()), given.definition, weights=given.weights, regressor=given.regressor
    )
    people = []
    for fate in statuses(given.folder, out, settings, facts, given.workers, given.cluster):
        people.append(fate)
        left = f", {fate.seconds_left:.0f} s left" if fate.seconds_left else ""
        sys.stdout.write(f"[{fate.done}/{fate.total}{left}] {fate.name}: {_said(fate, out)}\n")
        sys.stdout.flush()
    people.sort(key=lambda fate: fate.name)
    written = write_results(people, out), write_sheet(people, entries(given.folder, facts), given.folder, out)
    sys.stdout.write(" and ".join(str(path) for path in written if path) + "\n")
    return people


def _said(fate: Status, out: Path) -> str:
    """What there is to say of one person, in a line."""
    if fate.state == "failed":
        return f"failed: {fate.error}"
    quality = json.loads((out / fate.name / "quality.json").read_text(encoding="utf-8"))
    shares = " and ".join(f"{100 * view['iou']:.0f} %" for view in quality["views"])
    withheld = f", {len(quality['withheld'])} measures withheld" if quality["withheld"] else ""
    return f"{fate.state}, outline covered to {shares}{withheld}"


if __name__ == "__main__":
    sys.exit(main())
