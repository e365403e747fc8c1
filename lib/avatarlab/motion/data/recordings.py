"""A folder of recordings: which takes it holds, whose they are, and how each is read.

Each subfolder, or archive ``<name>.tar.xz`` of one, is a source. A take is an AMC with its ASF beside it, a BVH, a text
of exponential maps, or an AMASS npz, at any depth. Pickles are listed too, for their reader to refuse.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256
from avatarlab.motion.formats.archive import members

SUFFIXES = (".asf", ".amc", ".bvh", ".txt", ".npz", ".pkl")
ARCHIVE = ".tar.xz"
UNLABELLED = "CMU_unlabelled"
"""Subject of CMU takes of which nobody wrote down who moved."""


@dataclass(frozen=True)
class Take:
    """One recording: ``name`` = source/stem, its subject and source, its file, and the ASF of an AMC."""

    name: str
    subject: str
    source: str
    path: Path
    skeleton: Path | None = None


def unpacked(folder: Path, scratch: Path) -> list[Path]:
    """Folders of the sources in ``folder``, by name; archives are unpacked under ``scratch``, motion files only."""
    if not folder.is_dir():
        raise InputError(f"data.motion: {folder} is no folder; give one with recordings or archives of them.")
    found = {path.name: path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    for archive in sorted(folder.glob("*" + ARCHIVE)):
        name = archive.name.removesuffix(ARCHIVE)
        if name not in found:
            found[name] = unpack(archive, scratch / name)
    return [found[name] for name in sorted(found)]


def damaged(folder: Path) -> list[str]:
    """Names of files in ``folder`` that are missing or not the ones that its SHA256SUMS lists; none without a list."""
    sums = folder / "SHA256SUMS"
    listed = [line.split(maxsplit=1) for line in sums.read_text().splitlines()] if sums.is_file() else []
    wrong = []
    for digest, name in (line for line in listed if len(line) == 2):
        path = folder / name.strip().lstrip("*")
        if not path.is_file() or sha256(path) != digest:
            wrong.append(path.name)
    return wrong


def unpack(archive: Path, place: Path) -> Path:
    """Write the motion files of ``<name>.tar.xz`` below ``place``, without the folder <name> they lie in."""
    base = place.resolve()
    for name, content in members(archive, SUFFIXES):
        parts = Path(name).parts
        path = (base / Path(*(parts[1:] if parts[0] == place.name and len(parts) > 1 else parts))).resolve()
        if not path.is_relative_to(base):
            raise InputError(f"{archive}: {name} would lie outside its folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place


def takes_in(source: Path) -> tuple[list[Take], list[tuple[str, str]]]:
    """All takes of a source's folder in order of name, and (name, reason) of motion files that cannot be any."""
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    skeletons = [path for path in files if path.suffix.lower() == ".asf"]
    found, skipped = [], []
    for path in files:
        if path in skeletons:
            continue
        relative = path.relative_to(source).with_suffix("")
        name = f"{source.name}/{relative.as_posix()}"
        skeleton = skeleton_of(path, skeletons) if path.suffix.lower() == ".amc" else None
        if path.suffix.lower() == ".amc" and skeleton is None:
            skipped.append((name, "no ASF of this subject lies beside it."))
        else:
            found.append(Take(name, subject_of(source.name, relative), source.name, path, skeleton))
    return found, skipped


def skeleton_of(path: Path, skeletons: Sequence[Path]) -> Path | None:
    """The ASF of an AMC: same folder, the longest name that the AMC's begins with; 131_04-dance has 131-dance."""
    stem = path.stem
    plain = re.sub(r"^(\d+)_\d+", r"\1", stem)
    beside = [s for s in skeletons if s.parent == path.parent]
    fits = [s for s in beside if stem.startswith(s.stem) or plain == s.stem]
    return max(fits, key=lambda s: (plain == s.stem, len(s.stem)), default=beside[0] if len(beside) == 1 else None)


def subject_of(source: str, relative: Path) -> str:
    """Who moved in a take, from its name alone.

    In CMU's sources 14_03 is CMU14, charleston1 (a renamed trial) CMU_charleston, text files are UNLABELLED; HDM05's
    HDM_tr_x is HDM_tr. Elsewhere a subfolder is a subject (as in AMASS), else what is before the first _ or -.
    """
    stem = relative.name
    if source.startswith("cmu_expmap"):
        return UNLABELLED
    if source.lower().startswith("cmu"):
        digits = re.match(r"\d+", stem if len(relative.parts) == 1 else relative.parts[0])
        return f"CMU{digits[0]}" if digits else "CMU_" + re.sub(r"\W?\d+$", "", stem)
    if stem.startswith("HDM_"):
        return "_".join(stem.split("_")[:2])
    return f"{source}/{relative.parts[0] if len(relative.parts) > 1 else re.split('[_-]', stem)[0]}"
