"""Figures against their targets: reads the stages' metrics, compares, and draws the table of the summary."""

import html
import json
from dataclasses import dataclass
from pathlib import Path

from avatarlab.core.errors import InputError, nearest
from avatarlab.core.files import read_yaml
from avatarlab.show.figures import PALETTE

TOLERANCES = "tolerances"
"""Section of targets.yaml that says how far figures of two machines may be apart; ``lab.compare`` reads it."""
RULES = {
    "at_most": lambda value, limit: value <= limit,
    "at_least": lambda value, limit: value >= limit,
    "equals": lambda value, limit: value == limit,
}


@dataclass(frozen=True)
class Row:
    """One figure: ``met`` is None where there is no target; ``value`` is None where the figure is missing."""

    stage: str
    key: str
    value: float | str | bool | None
    target: str = ""
    share: float | None = None
    met: bool | None = None


def figures(folder: Path, stages: list[str]) -> dict[str, dict]:
    """Return notebook name -> metrics for those of ``stages`` whose metrics file is in ``folder``."""
    files = {name: folder / f"{name}.json" for name in stages}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in files.items() if path.exists()}


def read(path: Path) -> dict[str, dict]:
    """Return notebook name -> key -> {rule: limit}; InputError for a rule that is not one of RULES."""
    targets = {stage: keys for stage, keys in read_yaml(path).items() if stage != TOLERANCES}
    for stage, keys in targets.items():
        for key, rule in (keys or {}).items():
            if not isinstance(rule, dict) or len(rule) != 1 or next(iter(rule)) not in RULES:
                hint = nearest(next(iter(rule)), RULES) if isinstance(rule, dict) and rule else ""
                raise InputError(
                    f"{path.name}: {stage}.{key} must be one of {', '.join(RULES)} with a limit{hint}."
                )
    return targets


def compare(values: dict[str, dict], targets: dict[str, dict]) -> list[Row]:
    """Return a row for every target, then for every figure that has none, stage by stage."""
    rows = []
    for stage in sorted({*values, *targets}):
        have, want = values.get(stage, {}), targets.get(stage) or {}
        rows += [_judged(stage, key, have.get(key), *next(iter(rule.items()))) for key, rule in want.items()]
        rows += [Row(stage, key, value) for key, value in have.items() if key not in want]
    return rows


def _judged(stage: str, key: str, value, rule: str, limit) -> Row:
    words = f"{rule.replace('_', ' ')} {text(limit)}"
    if value is None:
        return Row(stage, key, None, words, None, False)
    numbers = not any(isinstance(x, bool | str) for x in (value, limit)) and min(value, limit) > 0
    share = {"at_most": lambda: value / limit, "at_least": lambda: limit / value}.get(rule) if numbers else None
    return Row(stage, key, value, words, share() if share else None, bool(RULES[rule](value, limit)))


def flat(values: dict[str, dict], rows: list[Row]) -> dict:
    """Return every figure as ``NN_stage__key``, and how many targets are met, missed and without a figure."""
    judged = [row for row in rows if row.met is not None]
    counts = {
        "targets": len(judged),
        "targets_met": sum(row.met for row in judged),
        "targets_missed": sum(not row.met and row.value is not None for row in judged),
        "targets_without_figure": sum(row.value is None for row in judged),
    }
    return counts | {
        f"{stage}__{key}": value for stage, keys in sorted(values.items()) for key, value in keys.items()
    }


SHOWN = 30
"""Figures of a stage without a target that the table shows; a benchmark has hundreds."""


def table(rows: list[Row]) -> str:
    """Return the rows as one HTML table, green where met, red where short; of many figures without a target the first."""
    lines = []
    for stage in dict.fromkeys(row.stage for row in rows):
        mine = [row for row in rows if row.stage == stage]
        free = [row for row in mine if row.met is None]
        lines.append(f'<tr><th colspan="4">{html.escape(stage.replace("_", " "))}</th></tr>')
        lines += [_line(row) for row in mine if row.met is not None] + [_line(row) for row in free[:SHOWN]]
        if len(free) > SHOWN:
            words = f"and {len(free) - SHOWN} more in reports/metrics/{stage}.json"
            lines.append(f'<tr><td colspan="4">{html.escape(words)}</td></tr>')
    return f"<table><tr><th>figure</th><th>is</th><th>target</th><th></th></tr>{''.join(lines)}</table>"


def _line(row: Row) -> str:
    """One figure as a row of the table."""
    mark, color = {None: ("", "inherit"), True: ("✓", PALETTE["green"]), False: ("✗", PALETTE["red"])}[row.met]
    cells = [row.key.replace("_", " "), text(row.value), row.target, mark]
    inner = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f'<tr style="color: {color}">{inner}</tr>'


def text(value) -> str:
    """A figure as tables show it: four digits, thousands apart; ``missing`` for None."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
