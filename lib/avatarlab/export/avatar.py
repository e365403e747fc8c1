"""One photo to one avatar: python -m avatarlab.export.avatar me.jpg --stature-cm 178

Into the folder --out go avatar.glb, person.npz, measurements.json, quality.json, the outline, and report.html: photo,
body, measures with their intervals, and the avatar in 3D, on one page that opens offline. Without a photo it is the
astronaut of scikit-image, whose stature of 168 cm is assumed. `make demo` calls this. Exit status: 0 made, 2 refused,
130 interrupted.
"""

import argparse
import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

from avatarlab.core.errors import InputError
from avatarlab.core.files import publish, remove
from avatarlab.export import bundle
from avatarlab.export.report import interval_text
from avatarlab.fit.cases import FACTS, PICTURES, VIEWS, Case, case, open_photo, parse_facts
from avatarlab.measure import MEASURES, Measurements

ASTRONAUT = {"front": f"skimage:{PICTURES[0]}", "stature_cm": 168.0}
"""Who is made where nobody is given; her stature is assumed."""
MARK = "measurements.json"
"""A folder that holds this is one of ours, and is replaced."""
WORDS = {
    "observe": "looking at the photo", "fit": "fitting the body", "measure": "measuring", "export": "writing the avatar",
}  # fmt: skip


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m avatarlab.export.avatar", description=__doc__, formatter_class=form
    )
    parser.add_argument("front", nargs="?", help="a front photo: JPEG, PNG, WebP or HEIC")
    parser.add_argument("--side", help="a side photo of the same person")
    parser.add_argument("--stature-cm", help="without shoes; needed with a photo")
    parser.add_argument("--weight-kg", help="if known; it helps as much as a side photo")
    parser.add_argument("--sex", help="male, female or unknown (the default)")
    parser.add_argument("--clothes", help="minimal, tight, or any (the default)")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where results go (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="only name the page, do not open it")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = arguments().parse_args(argv)
    try:
        case = _case(given)
        _make(case, given.out)
    except (InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written.\n")
        return 130
    _say(case.name, given.out, given.no_browser)
    return 0


def _case(given: argparse.Namespace) -> Case:
    """The person asked for, the photos decoded; InputError names what is wrong or missing."""
    asked = {view: getattr(given, view) for view in VIEWS if getattr(given, view)}
    asked |= parse_facts({name: getattr(given, name) for name in FACTS})
    if not any(view in asked for view in VIEWS):
        asked = ASTRONAUT | asked
        sys.stdout.write("No photo given, so this is the astronaut of scikit-image; her stature is assumed.\n")
    name = "astronaut" if asked.get("front") == ASTRONAUT["front"] else Path(asked.get("front") or given.side).stem
    return case({"name": name, **asked}, lambda source: open_photo(source, Path.cwd()))


def _make(case: Case, out: Path) -> None:
    """Make the avatar beside ``out`` and put it there whole."""
    if (
        out.is_symlink()
        or out.exists()
        and not (out / MARK).is_file()
        and (not out.is_dir() or any(out.iterdir()))
    ):
        raise InputError(f"{out} is in the way and holds no avatar; move it, or choose another --out.")
    _tell("loading the body and the networks")
    matplotlib.use("Agg")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".avatar-", dir=out.parent))
    try:
        wishes = bundle.ExportOptions(turning=True)
        bundle.make(work, case.name, case.photos, case.subject, bundle.Models.load(), wishes, _progress())
        work.chmod(0o755)
        publish({work: out})
    finally:
        remove(work)


def _progress() -> Callable[[str, float], None]:
    """Say each stage once, and the fit at every quarter."""
    reported = set()

    def tell(stage: str, share: float) -> None:
        step = stage, int(4 * share)
        if step not in reported:
            reported.add(step)
            _tell(WORDS[stage] + (f", {25 * step[1]} %" if step[1] else ""))

    return tell


def _tell(words: str) -> None:
    sys.stdout.write(f"... {words}\n")
    sys.stdout.flush()


def _say(name: str, out: Path, quiet: bool) -> None:
    """The measures in a table, and the page's address; opened where there is a screen."""
    sys.stdout.write(f"\n{name}, in cm, with 90 % intervals\n")
    found = Measurements.load(out / MARK).measures
    for measure in MEASURES:
        one = found[measure]
        value = "    –" if one.value is None else f"{one.value:5.1f}"
        line = f"  {measure.replace('_', ' '):18s} {value}  {interval_text(one.interval):16s} {one.reason or ''}"
        sys.stdout.write(f"{line.rstrip()}\n")
    address = (out / bundle.REPORT).resolve().as_uri()
    opened = not quiet and _screen() and webbrowser.open(address)
    sys.stdout.write(f"\n{'Opened' if opened else 'Open'} {address}\nThe avatar: {out / 'avatar.glb'}\n")


def _screen() -> bool:
    """Whether a browser would show anything."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


if __name__ == "__main__":
    sys.exit(main())
