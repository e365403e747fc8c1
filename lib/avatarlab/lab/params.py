"""Parameters of a stage: params.yaml read strictly and checked against the notebook in both directions."""

import math
from collections.abc import Collection

from avatarlab.core.errors import InputError, nearest


def section(params: dict, stage: str, expected: Collection[str]) -> dict:
    """Return what params.yaml gives to ``stage``: of ``base`` the names in ``expected``, overlaid with its own section."""
    parts = []
    for name in ("base", stage):
        if name not in params:
            raise InputError(f"params.yaml: section `{name}` is missing{nearest(name, params)}.")
        part = {} if params[name] is None else params[name]
        if not isinstance(part, dict):
            raise InputError(f"params.yaml: section `{name}` must hold `name: value` lines, got {part!r}.")
        parts.append(part)
    base, own = parts
    return {name: value for name, value in base.items() if name in expected} | own


def check(given: dict, expected: dict, stage: str) -> dict:
    """Return the values to run with; InputError names every parameter that is on one side only or of another type.

    ``given`` comes from params.yaml, ``expected`` from the notebook's parameters cell; ``out`` is the runner's.
    """
    expected = {name: value for name, value in expected.items() if name != "out"}
    unknown = [
        f"`{n}` is not a parameter of the notebook{nearest(n, expected)}" for n in given if n not in expected
    ]
    missing = [f"`{n}` is missing in params.yaml{nearest(n, given)}" for n in expected if n not in given]
    if unknown or missing:
        raise InputError(
            f"params.yaml and the notebook of stage `{stage}` disagree: {'; '.join(unknown + missing)}."
        )
    faults = [fault for n, value in given.items() for fault in mismatch(f"{stage}.{n}", value, expected[n])]
    if faults:
        raise InputError(f"params.yaml: {'; '.join(faults)}.")
    return {name: _like(value, expected[name]) for name, value in given.items()}


def mismatch(name: str, value, default) -> list[str]:
    """Return what is wrong with ``value`` where the notebook's default is ``default`` (empty: nothing)."""
    if isinstance(value, float) and not math.isfinite(value):
        return [f"`{name}`: got {value}, expected a finite number"]
    if isinstance(value, dict):
        faults = [f for k, v in value.items() for f in mismatch(f"{name}.{k}", v, None)]
    elif isinstance(value, list):
        first = default[0] if isinstance(default, list) and default else None
        faults = [f for i, v in enumerate(value) for f in mismatch(f"{name}[{i}]", v, first)]
    else:
        faults = []
    if (
        default is None
        or _kind(value) == _kind(default)
        or (_kind(value), _kind(default)) == ("integer", "number")
    ):
        return faults
    return [f"`{name}`: got {value!r} ({_kind(value)}), expected a {_kind(default)} such as {default!r}"]


def _kind(value) -> str:
    kinds = {bool: "truth value", int: "integer", float: "number", str: "text", list: "list", tuple: "list"}
    kinds |= {dict: "mapping", type(None): "nothing"}
    return kinds.get(type(value), type(value).__name__)


def _like(value, default):
    return float(value) if isinstance(default, float) and isinstance(value, int) else value
