"""What a folder of fits comes to: results.csv with a line per person, and one picture of all."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from avatarlab.core.errors import InputError
from avatarlab.core.files import whole
from avatarlab.fit.batch.folder import DONE, Status
from avatarlab.fit.batch.people_csv import PersonRow, photos_of
from avatarlab.fit.cases import VIEWS
from avatarlab.measure import MEASURES, Measurements
from avatarlab.photo import decode
from avatarlab.render import contact_sheet

RESULTS, SHEET = "results.csv", "contact_sheet.png"
FEW, LARGE_PX, SMALL_PX = 100, 256, 128
"""Up to how many pictures cells are large."""
SKIN = ("ita_deg", "ita_low_deg", "ita_high_deg", "monk", "monk_low", "monk_high")


def columns() -> list[str]:
    """Names of the columns of results.csv."""
    measures = [f"{name}_{what}" for name in MEASURES for what in ("cm", "low_cm", "high_cm", "withheld")]
    return ["name", "state", "error", "weight_kg", "sex", *measures, *SKIN, "calibrated", "warnings"]


def write_results(people: Sequence[Status], out: Path) -> Path:
    """Write results.csv: every measure in cm with its interval, empty with the reason beside it where withheld."""
    with whole(out / RESULTS) as part, open(part, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns(), restval="")
        table.writeheader()
        for fate in people:
            failed = fate.state == "failed"
            plain = {"name": fate.name, "state": "failed" if failed else "fitted", "error": fate.error or ""}
            row = plain if failed else plain | _row(out / fate.name)
            table.writerow({column: _cell(value) for column, value in row.items()})
    return out / RESULTS


def _row(place: Path) -> dict:
    """The columns of one finished person."""
    facts = json.loads((place / DONE).read_text(encoding="utf-8"))["facts"]
    quality = json.loads((place / "quality.json").read_text(encoding="utf-8"))
    row = {name: facts[name] for name in ("weight_kg", "sex")}
    for name, entry in Measurements.load(place / "measurements.json").measures.items():
        low, high = entry.interval or ("", "")
        value = "" if entry.value is None else entry.value
        row |= {f"{name}_cm": value, f"{name}_low_cm": low, f"{name}_high_cm": high}
        row[f"{name}_withheld"] = entry.reason or ""
    if skin := quality.get("skin"):
        found = skin["ita_deg"], *skin["ita_interval_deg"], skin["monk"], *skin["monk_interval"]
        row |= dict(zip(SKIN, found, strict=True))
    return row | {"calibrated": quality.get("calibrated", ""), "warnings": " ".join(quality["warnings"])}


def _cell(value):
    """Text that a spreadsheet would take for a formula, defused; file names are other people's."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def write_sheet(people: Sequence[Status], entries: Sequence[PersonRow], folder: Path, out: Path) -> Path | None:
    """Write contact_sheet.png: everybody's photos with outline and body over them, failed ones as they came."""
    pictures, captions = [], []
    by_name = {entry.name: entry for entry in entries}
    for fate in people:
        for view, picture in _pictures(fate, by_name[fate.name], folder, out):
            pictures.append(picture)
            captions.append(f"{fate.name} {view}" + (" FAILED" if fate.state == "failed" else ""))
    if not pictures:
        return None
    many = len(pictures) > FEW
    count = max(4, math.ceil(math.sqrt(len(pictures))))
    image = contact_sheet(pictures, captions, count, SMALL_PX if many else LARGE_PX)
    with whole(out / SHEET) as part:
        Image.fromarray(image).save(part)
    return out / SHEET


def _pictures(fate: Status, entry: PersonRow, folder: Path, out: Path):
    """Yield (view, picture (H, W, 3), no larger than a cell) of one person."""
    for view in VIEWS:
        if fate.state != "failed" and (path := out / fate.name / f"overlay_{view}.png").is_file():
            yield view, _small(Image.open(path).convert("RGB"))
    if fate.state == "failed":
        try:
            photos = {view: decode(path).rgb for view, path in photos_of(entry, folder).items()}
        except InputError:
            return
        yield from ((view, _small(Image.fromarray(rgb))) for view, rgb in photos.items())


def _small(image: Image.Image) -> np.ndarray:
    image.thumbnail((2 * LARGE_PX, 2 * LARGE_PX))
    return np.array(image)
