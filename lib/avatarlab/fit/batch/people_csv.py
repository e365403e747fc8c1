"""Who is in a folder of photos: people.csv, or the files' names; nothing named there leads out of the folder."""

import csv
import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from avatarlab.core.errors import InputError
from avatarlab.fit.cases import FACTS, KEYS, VIEWS, is_name

TABLE = "people.csv"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
MAX_BYTES, MAX_PEOPLE = 10_000_000, 100_000


@dataclass(frozen=True)
class PersonRow:
    """A person to be: name, photos by view as written (relative to the folder), stature, weight and sex as written."""

    name: str
    photos: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, str]


def entries(folder: Path, given: Mapping[str, str] | None = None) -> list[PersonRow]:
    """The people of a folder, by name; ``given`` holds facts for those of whom people.csv does not say them.

    Without people.csv everybody is meant of whom there is a photo ``<name>_front``, ``<name>_side`` or ``<name>``
    (that is a front view); with it those it lists, and columns it leaves empty are filled from the files.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder.")
    found = _by_file_name(folder)
    rows = _table(folder / TABLE) if (folder / TABLE).is_file() else [{"name": name} for name in found]
    if not rows:
        expected = f"neither {TABLE} nor a photo called like anna_front.jpg"
        raise InputError(f"{folder}: {expected} ({', '.join(SUFFIXES)}).")
    people = [_entry(row, found, given or {}) for row in rows]
    return sorted(people, key=lambda entry: entry.name)


def _by_file_name(folder: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Photos by person and view."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for path in sorted(folder.iterdir()):
        stem, view = path.stem, "front"
        if path.suffix.lower() not in SUFFIXES:
            continue
        for ending in VIEWS:
            if stem.endswith(f"_{ending}"):
                stem, view = stem.removesuffix(f"_{ending}"), ending
        if is_name(stem):
            views = found.setdefault(stem, {})
            views[view] = (*views.get(view, ()), path.name)
    return found


def _entry(row: Mapping[str, str], found: Mapping, given: Mapping[str, str]) -> PersonRow:
    written = {view: (row[view],) for view in VIEWS if row.get(view)}
    facts = {fact: row.get(fact) or given.get(fact) or "" for fact in FACTS}
    return PersonRow(row["name"], written or found.get(row["name"], {}), facts)


def _table(path: Path) -> list[dict[str, str]]:
    """Rows of people.csv by column; commas, semicolons or tabs; anything unclear is an InputError naming the line."""
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES // 10**6} MB; that is no list of people.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        head = text.partition("\n")[0]
        mark = max(",;\t", key=head.count)
        lines = list(csv.reader(io.StringIO(text), delimiter=mark, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a table in UTF-8 ({error}); save it as CSV UTF-8.") from None
    columns = [cell.strip() for cell in lines[0]] if lines else []
    _check_columns(path, columns)
    rows, names = [], set()
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            rows.append(_row(f"{path}, line {number}", columns, line, names))
    if len(rows) > MAX_PEOPLE:
        raise InputError(f"{path}: {len(rows)} people; at most {MAX_PEOPLE} at once.")
    return rows


def _check_columns(path: Path, columns: list[str]) -> None:
    if "name" not in columns:
        raise InputError(f"{path}: no column `name`; the first line names the columns: {', '.join(KEYS)}.")
    for column in columns:
        if column not in KEYS or columns.count(column) > 1:
            close = difflib.get_close_matches(column, KEYS, n=1)
            hint = (
                f"did you mean `{close[0]}`?" if close and close[0] != column else f"known are {', '.join(KEYS)}."
            )
            twice = "is there twice" if columns.count(column) > 1 else "is not known"
            raise InputError(f"{path}: column `{column}` {twice}; {hint}")


def _row(where: str, columns: list[str], line: list[str], names: set[str]) -> dict[str, str]:
    if len(line) > len(columns):
        raise InputError(f"{where}: {len(line)} cells in a table of {len(columns)} columns.")
    row = dict(zip(columns, (cell.strip() for cell in line), strict=False))
    name = row["name"]
    if not is_name(name):
        raise InputError(f"{where}: got the name {name!r}, expected letters, digits, - and _ (it names a folder).")
    if name in names:
        raise InputError(f"{where}: {name} is there twice; give every person a name of its own.")
    names.add(name)
    return row


def photos_of(entry: PersonRow, folder: Path) -> dict[str, Path]:
    """The entry's photos by view, real files of the folder; InputError else."""
    if not entry.photos:
        raise InputError(
            f"no photo; name one in {TABLE}, or call it {entry.name}_front.jpg or {entry.name}_side.jpg."
        )
    for view, names in entry.photos.items():
        if len(names) > 1:
            raise InputError(f"several {view} photos ({', '.join(names)}); leave one.")
    return {view: resolve_inside(folder, names[0]) for view, names in entry.photos.items()}


def resolve_inside(folder: Path, name: str) -> Path:
    """The regular file ``name`` of the folder or below; a path that leads out, also by links, is an InputError."""
    outside = f"{name}: leads out of the folder; photos lie in it, with paths relative to it."
    windows = PureWindowsPath(name)
    if "\0" in name or windows.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise InputError(outside.replace("\0", "?"))
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(outside)
    if not path.is_file():
        raise InputError(f"{name}: no such photo in the folder.")
    return path
