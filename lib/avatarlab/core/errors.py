"""The one exception that means "the input is at fault": a single sentence that names it and the remedy."""

import difflib
import math


class InputError(ValueError):
    """What a user handed in cannot be used; the message is one sentence for that user."""


def number(name: str, value, low: float, high: float, unit: str, hint: str = "") -> float:
    """Return ``value`` as a float within [low, high] or raise InputError naming argument, value, range and remedy."""
    expected = f"{name}: got {value!r}, expected {low:g} to {high:g} ({unit})."
    try:
        x = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{expected} {hint}".strip()) from None
    if not math.isfinite(x) or not low <= x <= high:
        raise InputError(f"{expected} {hint}".strip())
    return x


def nearest(word: str, words) -> str:
    """Return `` (did you mean `x`?)`` or nothing."""
    close = difflib.get_close_matches(str(word), list(words), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""
