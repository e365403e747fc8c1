"""Who is to be fitted: the entries of params.yaml checked, their photos decoded and observed.

An entry holds ``name``, ``front`` and/or ``side``, ``stature_cm``, optionally ``weight_kg``, ``sex`` and ``clothes`` (minimal,
tight, or any, which is assumed). A photo is a path (relative to the project), ``skimage:<picture>`` (only ``astronaut``),
or ``rendered:<seed>`` as ``front``: a made-up person with both views, clothed in paint, whose stature, sex and truth are
known.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import skimage.data

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.photo import Photo, decode
from avatarlab.synthetic.rendered import Rendered, rendered_person

VIEWS = ("front", "side")
FACTS = ("stature_cm", "weight_kg", "sex", "clothes")
KEYS = ("name", *VIEWS, *FACTS)
PICTURES = ("astronaut",)


@dataclass(frozen=True, eq=False)
class Case:
    """A person to fit: photos by view, what is told of them, and the truth of a rendered one."""

    name: str
    photos: dict[str, Photo]
    subject: Subject
    truth: Rendered | None = None


def read(entries: Sequence[Mapping], body: Body) -> list[Case]:
    """Check every entry before the first photo is looked at; InputError names entry, fault and remedy."""
    if not entries:
        raise InputError("subjects: the list is empty; name at least one person in params.yaml.")
    names = [_name(entry) for entry in entries]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"subjects: {', '.join(doubled)} is there twice; give every person a name of its own.")
    return [_case(entry, body) for entry in entries]


def _name(entry) -> str:
    """The entry's name, once its keys are known to be good."""
    if not isinstance(entry, Mapping):
        raise InputError(f"subjects: got {entry!r}, expected `name: ..., front: ..., stature_cm: ...`.")
    name = str(entry.get("name", ""))
    if not is_name(name):
        raise InputError(
            f"subjects: got the name {name!r}, expected letters, digits, - and _ (it names a folder)."
        )
    for key in entry:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(KEYS)}."
            raise InputError(f"subjects.{name}: `{key}` is not known; {hint}")
    if not any(entry.get(view) for view in VIEWS):
        raise InputError(f"subjects.{name}: no photo; give `front`, `side` or both.")
    return name


def is_name(text: str) -> bool:
    """Whether a person may be called so: the name is a folder's too."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text) is not None


def _case(entry: Mapping, body: Body) -> Case:
    name, front = str(entry["name"]), str(entry.get("front") or "")
    try:
        return _rendered(name, front, body) if front.startswith("rendered:") else case(entry, open_photo)
    except InputError as error:
        raise InputError(f"subjects.{name}: {error}") from None


def case(entry: Mapping, opened: Callable[[str], Photo]) -> Case:
    """A person of one entry, whose photos ``opened`` decodes once the facts are checked; InputError names the fault."""
    if entry.get("stature_cm") is None:
        raise InputError("stature_cm is missing; the photo alone does not tell how tall somebody is.")
    facts = {name: entry[name] for name in FACTS if entry.get(name) not in (None, "")}
    subject = Subject.of(**facts)
    photos = {view: opened(str(entry[view])) for view in VIEWS if entry.get(view)}
    return Case(str(entry["name"]), photos, subject)


def parse_facts(written: Mapping[str, str]) -> dict:
    """Numbers and words of what was written; what is no number is left to the check that names the remedy."""
    facts = {name: text for name, text in written.items() if text}
    for name in ("stature_cm", "weight_kg"):
        try:
            facts |= {name: float(facts[name])} if name in facts else {}
        except ValueError:
            raise InputError(f"{name}: got {facts[name]!r}, expected a number, such as 178.5.") from None
    return facts


def _rendered(name: str, source: str, body: Body) -> Case:
    seed = source.removeprefix("rendered:")
    if not seed.isdigit():
        raise InputError(f"front: got {source!r}, expected `rendered:` and a whole number, such as `rendered:7`.")
    made = rendered_person(body, int(seed))
    photos = {view: shot.photo for view, shot in made.shots.items()}
    return Case(name, photos, made.subject, made)


def open_photo(source: str, folder: Path = ROOT) -> Photo:
    """The photo of a path, relative to ``folder``, or of scikit-image (PICTURES)."""
    if source.startswith("skimage:"):
        picture = source.removeprefix("skimage:")
        if picture not in PICTURES:
            raise InputError(f"got {source!r}, expected skimage:{PICTURES[0]} or the path of a photo.")
        return Photo(getattr(skimage.data, picture)(), None, picture)
    return decode(folder / Path(source).expanduser())
