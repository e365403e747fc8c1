"""Rows of figures as CSV: equal rows, equal bytes."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from avatarlab.core.files import whole


def write_csv(path: str | Path, rows: Sequence[Mapping]) -> None:
    """Rows with equal keys as CSV, figures to 0.001, an empty field where one does not exist (NaN)."""
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _field(value) for key, value in row.items()} for row in rows)


def _field(value):
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else round(value, 3) + 0.0
