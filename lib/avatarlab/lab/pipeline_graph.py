"""The pipeline of dvc.yaml as a picture: stages in columns by the verb they do, arrows from what each rests on.

An arrow that follows from others is left out. One SVG runs from left to right, for wide screens; the other from top to
bottom, three stages side by side, for phones.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatarlab.core.files import read_yaml
from avatarlab.lab import notebook

VERBS = {"1": "prepare", "2": "train", "3": "fit", "4": "measure", "5": "export", "6": "animate", "9": "sum up"}
"""First digit of a stage's number -> what its column does."""
NODE, GAP, HEAD = (160, 46), (36, 16), 30
"""Width and height of a stage, the room between two, and the room of a column's title (px)."""
NARROW, PER_ROW = (114, 50), 3
"""Width and height of a stage where columns lie below each other, and how many stand side by side there (px)."""
LANE = 12
"""Height of the lane in which an arrow passes a column (px)."""


@dataclass(frozen=True)
class Stage:
    """One stage: its number and name (``41_benchmark``), dvc.yaml's sentence, and the stages that it rests on."""

    name: str
    words: str
    needs: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The digit of its verb."""
        return self.name[0]

    @property
    def label(self) -> str:
        """Its name in words, with the number."""
        return self.name.replace("_", " ")

    @property
    def short(self) -> str:
        """Its name in words, without the verb that its column is named after."""
        return f"{self.name[:2]} {self.label[3:].removeprefix(f'{VERBS.get(self.column)} ')}"


@dataclass(frozen=True)
class Mark:
    """How a stage stands: ``state`` is ``met``, ``missed`` or ``free`` (no target), ``text`` says it in words."""

    state: str
    text: str


def read_stages(root: Path) -> list[Stage]:
    """The stages of dvc.yaml that have a notebook, by number."""
    pipeline = read_yaml(root / "dvc.yaml")["stages"]
    names = {stage: path.stem for stage, path in notebook.stages(root).items() if stage in pipeline}
    makers = {_path(out): names[stage] for stage in names for out in pipeline[stage]["outs"]}
    found = []
    for stage, name in names.items():
        needs = {makers[dep] for dep in pipeline[stage]["deps"] if dep in makers} - {name}
        found.append(Stage(name, pipeline[stage].get("desc", ""), tuple(sorted(needs))))
    return sorted(found, key=lambda stage: stage.name)


def _path(out: str | dict) -> str:
    return out if isinstance(out, str) else next(iter(out))


def shortest(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """(from, to) of the arrows that follow from no others: the transitive reduction."""
    needs = {stage.name: set(stage.needs) for stage in stages}

    def above(name: str) -> set[str]:
        return needs[name].union(*map(above, needs[name]))

    return [
        (source, name)
        for name, sources in needs.items()
        for source in sorted(sources)
        if not any(source in above(other) for other in sources)
    ]


def wide(stages: Sequence[Stage], marks: Mapping[str, Mark]) -> str:
    """The SVG of columns side by side."""
    columns = _columns(stages)
    order = list(columns)
    arrows = shortest(stages)
    lanes = {digit: _passing(arrows, digit) for digit in order}
    tall = max(_height(columns[digit], lanes[digit]) for digit in order)
    corners, passes, titles = {}, {}, []
    for number, digit in enumerate(order):
        x = number * (NODE[0] + GAP[0])
        titles.append(_title(x + NODE[0] / 2, 14, digit))
        y = HEAD + (tall - _height(columns[digit], lanes[digit])) / 2
        for stage in columns[digit]:
            corners[stage.name] = (x, y)
            y += NODE[1] + GAP[1]
        for source in lanes[digit]:
            passes[source, digit] = (x, y)
            y += LANE
    size = (len(order) * (NODE[0] + GAP[0]) - GAP[0], HEAD + tall + 4)
    lines = [_across(corners, passes, order, source, target) for source, target in arrows]
    boxes = [_node(stage, stage.label, corners[stage.name], NODE, marks[stage.name]) for stage in stages]
    return _svg("wide", size, lines + titles + boxes)


def tall(stages: Sequence[Stage], marks: Mapping[str, Mark]) -> str:
    """The SVG of columns below each other."""
    corners, titles, y = {}, [], 0
    width = PER_ROW * (NARROW[0] + 10) - 10
    for digit, members in _columns(stages).items():
        titles.append(_title(2, y + 14, digit, "start"))
        y += HEAD - 8
        for number, stage in enumerate(members):
            row, place = divmod(number, PER_ROW)
            corners[stage.name] = (place * (NARROW[0] + 10), y + row * (NARROW[1] + 12))
        y += -(-len(members) // PER_ROW) * (NARROW[1] + 12) + 14
    boxes = [_node(stage, stage.short, corners[stage.name], NARROW, marks[stage.name]) for stage in stages]
    lines = [_down(corners[source], corners[target]) for source, target in shortest(stages)]
    return _svg("tall", (width, y), lines + titles + boxes)


def _columns(stages: Sequence[Stage]) -> dict[str, list[Stage]]:
    return {digit: [s for s in stages if s.column == digit] for digit in sorted({s.column for s in stages})}


def _passing(arrows: Sequence[tuple[str, str]], digit: str) -> list[str]:
    """The stages whose arrows pass the column ``digit``; arrows of one stage share a lane."""
    return sorted({source for source, target in arrows if source[0] < digit < target[0]})


def _height(members: Sequence[Stage], lanes: Sequence[str]) -> float:
    return len(members) * (NODE[1] + GAP[1]) - GAP[1] + (GAP[1] + len(lanes) * LANE if lanes else 0)


def _across(corners: Mapping, passes: Mapping, order: Sequence[str], source: str, target: str) -> str:
    """The arrow between two stages, through the lanes of the columns between."""
    (x, y), (end_x, end_y) = corners[source], corners[target]
    if source[0] == target[0]:
        return _beside(x, y, end_y)
    path = f"M{x + NODE[0]:g} {y + NODE[1] / 2:g}"
    at = (x + NODE[0], y + NODE[1] / 2)
    for digit in order[order.index(source[0]) + 1 : order.index(target[0])]:
        lane_x, lane_y = passes[source, digit]
        path += f"{_curve(at, (lane_x, lane_y))}H{lane_x + NODE[0]:g}"
        at = (lane_x + NODE[0], lane_y)
    return _arrow(path + _curve(at, (end_x - 3, end_y + NODE[1] / 2)))


def _beside(x: float, y: float, end_y: float) -> str:
    """The arrow within one column: straight to the next stage, or round those between on the left."""
    if end_y - y <= NODE[1] + GAP[1]:
        return _arrow(f"M{x + NODE[0] / 2:g} {y + NODE[1]:g}V{end_y - 3:g}")
    middle, end = y + NODE[1] / 2, end_y + NODE[1] / 2
    return _arrow(f"M{x:g} {middle:g}C{x - 24:g} {middle:g} {x - 24:g} {end:g} {x - 3:g} {end:g}")


def _down(start: tuple[float, float], end: tuple[float, float]) -> str:
    """The arrow from one stage to another of a lower or the same row, on narrow screens."""
    x, end_x = start[0] + NARROW[0] / 2, end[0] + NARROW[0] / 2
    if start[1] == end[1]:
        return _arrow(f"M{start[0] + NARROW[0]:g} {start[1] + 25:g}H{end[0] - 3:g}")
    if start[0] == end[0] and end[1] - start[1] > 2 * NARROW[1]:  # round what stands between, on the right
        right, y, end_y = start[0] + NARROW[0], start[1] + 25, end[1] + 25
        return _arrow(
            f"M{right:g} {y:g}C{right + 26:g} {y + 20:g} {right + 26:g} {end_y - 20:g} {right + 3:g} {end_y:g}"
        )
    y, end_y = start[1] + NARROW[1], end[1] - 3
    bend = min(40, (end_y - y) / 2)
    return _arrow(f"M{x:g} {y:g}C{x:g} {y + bend:g} {end_x:g} {end_y - bend:g} {end_x:g} {end_y:g}")


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """An S from ``start`` to ``end``, level at both."""
    middle = (start[0] + end[0]) / 2
    return f"C{middle:g} {start[1]:g} {middle:g} {end[1]:g} {end[0]:g} {end[1]:g}"


def _arrow(path: str) -> str:
    return f'<path class="arrow" d="{path}"/>'


def _title(x: float, y: float, digit: str, anchor: str = "middle") -> str:
    words = html.escape(f"{digit}0 {VERBS.get(digit, '')}")
    return f'<text class="verb" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{words}</text>'


def _node(stage: Stage, name: str, corner: tuple[float, float], size: tuple[float, float], mark: Mark) -> str:
    """One stage: a box that leads to its report, with its name and how its targets stand."""
    (x, y), (width, height) = corner, size
    tip = html.escape(f"{stage.name}: {stage.words}. {mark.text}")
    return (
        f'<a class="node {mark.state}" href="{stage.name}.html"><title>{tip}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{height}" rx="7"/>'
        f'<text class="name" x="{x + 9:g}" y="{y + 19:g}">{html.escape(name)}</text>'
        f'<text class="state" x="{x + 9:g}" y="{y + 36:g}">{html.escape(mark.text)}</text></a>'
    )


def _svg(kind: str, size: tuple[float, float], parts: Sequence[str]) -> str:
    head = (
        f'<marker id="{kind}-tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L6 3L0 6z"/></marker>'
    )
    return (
        f'<svg class="graph {kind}" viewBox="-24 -2 {size[0] + 48:g} {size[1] + 4:g}" role="img" '
        f'aria-label="The stages of the pipeline and what each rests on"><defs>{head}</defs>{"".join(parts)}</svg>'
    )
