"""docs/benchmarks.md, written from reports/metrics and notebooks/targets.yaml, so that no figure differs from its source.

    python -m avatarlab.lab.benchmarks     writes the page anew; a test compares it with the committed one

The words, protocols and what is cited from the literature stand in ``benchmarks.j2``; figures come in through ``value``.
"""

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from avatarlab import ROOT
from avatarlab.core.errors import InputError, nearest
from avatarlab.core.files import whole
from avatarlab.evaluate import targets

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("benchmarks.j2")
PAGE = "docs/benchmarks.md"
SPLITS = ("heldout", "random", "cross")
ABSENT = "–"
"""Stands where a model or a machine has no such figure."""


class Figures:
    """The metrics of all stages of ``root``, as the template asks for them."""

    def __init__(self, root: Path):
        folder = root / "reports" / "metrics"
        self.values = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
        self.rules = targets.read(root / "notebooks" / "targets.yaml")

    def value(self, stage: str, key: str, digits: int | None = None) -> str:
        """One figure with ``digits`` decimals, or as it is; InputError where the stage has no such figure."""
        known = self.values.get(stage, {})
        if key not in known:
            raise InputError(f"reports/metrics/{stage}.json: no figure {key}{nearest(key, known)}.")
        return f"{known[key]:,.{digits}f}" if digits is not None else targets.text(known[key])

    def target(self, stage: str, key: str) -> str:
        """A figure's target, ``at most 21``; InputError where it has none."""
        if key not in self.rules.get(stage, {}):
            raise InputError(
                f"notebooks/targets.yaml: {stage} has no target {key}{nearest(key, self.rules[stage])}."
            )
        rule, limit = next(iter(self.rules[stage][key].items()))
        return f"{rule.replace('_', ' ')} {targets.text(limit)}"

    def tapes(self, case: str) -> str:
        """Cells of one case of 41_benchmark: mean of 15 tapes; chest, waist, hip; coverage; the floor (mm, %)."""
        read = [self.value("41_benchmark", f"{case}_{key}_mae_mm", 1) for key in ("chest", "waist", "hip")]
        one = {
            key: self.value("41_benchmark", f"{case}_{key}", 1)
            for key in ("mae15_mm", "coverage90_pct", "floor_mae15_mm")
        }
        return " | ".join([one["mae15_mm"], " / ".join(read), f"{one['coverage90_pct']} %", one["floor_mae15_mm"]])

    def splits(self, model: str, key: str, digits: int = 1) -> str:
        """One figure of a motion model on the three splits; ABSENT where it is not scored."""
        known = self.values.get("42_score_motion", {})
        keys = [f"{split}_{model}_{key}" for split in SPLITS]
        return " / ".join(f"{known[k]:.{digits}f}" for k in keys) if all(k in known for k in keys) else ABSENT

    def rows(self) -> Iterable[targets.Row]:
        """Every figure that has a target, stage by stage."""
        stages = sorted(self.rules)
        rows = targets.compare({stage: self.values.get(stage, {}) for stage in stages}, self.rules)
        return [row for row in rows if row.met is not None]


def page(root: Path = ROOT) -> str:
    """The page as Markdown."""
    figures = Figures(root)
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    words = {name: getattr(figures, name) for name in ("value", "target", "tapes", "splits", "rows")}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(words, text=targets.text)


def main() -> int:
    """Write the page; return the exit status."""
    with whole(ROOT / PAGE) as part:
        part.write_text(page(), encoding="utf-8")
    log.info("%s", PAGE)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
