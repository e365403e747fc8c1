"""The metrics file of a stage: flat, finite, named with units, so that every diff shows figures."""

import json
import math
import re
from pathlib import Path

from avatarlab.core.errors import InputError

KEY = re.compile(r"[a-z0-9]+(_+[a-z0-9]+)*")


def read(path: Path) -> dict:
    """Return the metrics a notebook wrote; InputError names the first key or value that is not fit for a diff."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("metrics.json: the notebook wrote none into `out`; write at least one figure.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"metrics.json: not JSON ({error}).") from None
    if not isinstance(values, dict) or not values:
        raise InputError("metrics.json: expected a mapping of name to figure with at least one entry.")
    for key, value in values.items():
        _check(key, value)
    return values


def _check(key: str, value) -> None:
    if not KEY.fullmatch(key):
        raise InputError(f"metrics.json: key `{key}` is not snake_case; write for example `waist_mae_mm`.")
    if not isinstance(value, bool | int | float | str):
        raise InputError(
            f"metrics.json: `{key}` is {type(value).__name__}; flat numbers, texts and booleans only."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"metrics.json: `{key}` is {value}; leave it out or give a finite number.")
