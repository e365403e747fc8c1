"""What a stage rests on that no other stage makes, as one small file per stage: data/fingerprints/<stage>.json.

    python -m avatarlab.lab.fingerprint

The pipeline's first stage; it always runs, and the others depend on their file alone. A file lists the sha256 of the
library's modules and tables that the stage's notebook uses (see deps), of the files and folders that params.yaml names
in its section or in what it takes of `base`, and of the folders of shared data that its code names.
"""

import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from avatarlab import DATA, ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_yaml, sha256, whole, write_json
from avatarlab.lab import notebook, params
from avatarlab.lab.deps import CodeLibrary

FOLDER = "data/fingerprints"
"""Where the files are, in the project."""


class Hashes:
    """sha256 of files; one whose size and time are those of the last run is not read again, recordings being large."""

    def __init__(self, path: Path):
        self.path, self.now = path, {}
        try:
            self.before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.before = {}

    def of(self, file: Path) -> str:
        """Return the hex sha256 of ``file``; InputError where it cannot be read."""
        try:
            state = [file.stat().st_size, file.stat().st_mtime_ns]
            *known, digest = self.before.get(str(file), [None, ""])
            self.now[str(file)] = [*state, digest if known == state else sha256(file)]
        except OSError as error:
            raise InputError(
                f"{file}: cannot be read ({error.strerror}); it is an input of the pipeline."
            ) from None
        return self.now[str(file)][-1]

    def save(self) -> None:
        """Keep what this run has seen, for the next one."""
        if self.now != self.before:
            write_json(self.path, self.now)


def texts(value) -> Iterator[str]:
    """Yield every text within lists and mappings."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def files(place: Path) -> list[Path]:
    """Return ``place`` if it is a file, its files if it is a folder; nothing for a text that names neither."""
    try:
        if place.is_dir():
            return sorted(path for path in place.rglob("*") if path.is_file())
        return [place] if place.is_file() else []
    except (OSError, ValueError):  # too long for a path, or holds a zero byte
        return []


def named(values, root: Path, stages: Collection[str]) -> dict[str, Path]:
    """Return name -> file for what ``values`` name in the project or by absolute path.

    Results of ``stages`` are left out: dvc.yaml has them, and they need not be there yet when this runs.
    """
    places = {text: Path(os.path.abspath(root / text)) for text in texts(values) if "\0" not in text}
    found = [path for place in places.values() if not root.is_relative_to(place) for path in files(place)]
    return {_name(path, root): path for path in found if not _is_result(path, root, stages)}


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _is_result(path: Path, root: Path, stages: Collection[str]) -> bool:
    top, second = (*path.relative_to(root).parts, "", "")[:2] if path.is_relative_to(root) else ("", "")
    return top == "reports" or top in ("data", "models") and second in stages


def fingerprint(stage: str, given: dict, library: CodeLibrary, hashes: Hashes, data: Path = DATA) -> dict:
    """Return what ``stage`` rests on, name -> sha256: the library's files, and those of the user and of DATA."""
    root, notebooks = library.root, notebook.stages(library.root)
    path = notebooks[stage]
    code, folders = library.of_notebook(path)
    values = params.section(given, stage, notebook.parameters(notebook.read(path), path.name))
    inputs = named(values, root, set(notebooks))
    shared = {f"DATA/{p.relative_to(data).as_posix()}": p for folder in folders for p in files(data / folder)}
    return {
        "code": {path.relative_to(root).as_posix(): hashes.of(path) for path in code},
        "files": {name: hashes.of(path) for name, path in (inputs | shared).items()},
    }


def write(root: Path = ROOT, data: Path = DATA) -> None:
    """Write every stage's file; one that says the same already is not touched, one of no stage is removed."""
    given, library = read_yaml(root / "params.yaml"), CodeLibrary(root)
    hashes = Hashes(root / ".run" / "hashes.json")
    contents = {stage: fingerprint(stage, given, library, hashes, data) for stage in notebook.stages(root)}
    for path in (root / FOLDER).glob("*.json"):
        if path.stem not in contents:
            path.unlink()
    for stage, content in contents.items():
        _write(root / FOLDER / f"{stage}.json", json.dumps(content, indent=1, sort_keys=True) + "\n")
    hashes.save()


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")


def main() -> int:
    """Run the command line; return the exit status."""
    try:
        write()
    except (InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
