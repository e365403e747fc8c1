"""The lab's front page, reports/index.html: one file that opens offline, on a phone too.

On top the exported avatars turn; below, the pipeline as a picture; then a card for every stage: a figure of its report, what
it does, two figures against their targets, and how long it ran. What has not run yet is told by its absence.
"""

import base64
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from avatarlab import ROOT
from avatarlab.core.files import whole
from avatarlab.evaluate import targets
from avatarlab.evaluate.targets import Row
from avatarlab.export.glb_reader import Glb
from avatarlab.lab import pipeline_graph
from avatarlab.lab.pipeline_graph import Mark, Stage
from avatarlab.render.picture import to_srgb
from avatarlab.show import view
from avatarlab.show.page import document

STYLE = Path(__file__).with_suffix(".css")
THUMBNAIL_PX = 480
JPEG_QUALITY = 82
FITTING = (0.3, 1.0)
"""Heights over widths of figures that fit a card; others are taken only where a report has no such."""
AVATARS, VIEW_PX, MOVING_S = 2, 420, 4
"""How many avatars turn, how high each view is, and for how long the one moves that moves."""
UNITS = {
    "cm_s": "cm/s", "m_s3": "m/s³", "100m_s3": "100 m/s³", "mm": "mm", "cm": "cm", "deg": "°", "pct": "%", "px": "px",
    "ms": "ms", "s": "s", "mb": "MB", "kb": "kB", "bytes": "bytes",
}  # fmt: skip
"""Ending of a figure's key -> its unit; longer endings first."""
SIGNS = {"at most": "≤", "at least": "≥", "equals": "="}
PICTURE = re.compile(r'src="data:image/(?:png|jpeg);base64,([^"]+)"')


@dataclass(frozen=True)
class Card:
    """What is known of one stage: its judged and other figures, the seconds of its last run, a picture of its report."""

    stage: Stage
    rows: Sequence[Row]
    seconds: float | None
    picture: str
    reported: bool

    @property
    def judged(self) -> list[Row]:
        """The figures that have a target."""
        return [row for row in self.rows if row.met is not None]

    @property
    def mark(self) -> Mark:
        """How the targets stand, for the picture and the card."""
        met, count = sum(row.met for row in self.judged), len(self.judged)
        if not count:
            return Mark("free", "no target")
        words = f"✓ {count} met" if met == count else f"✗ {count - met} of {count} missed"
        return Mark("met" if met == count else "missed", words)


def write(root: Path = ROOT) -> Path:
    """Write reports/index.html of the project at ``root`` and return its path."""
    path = root / "reports" / "index.html"
    with whole(path) as part:
        part.write_text(page(root), encoding="utf-8")
    return path


def page(root: Path) -> str:
    """The page as HTML."""
    found = pipeline_graph.read_stages(root)
    rows = _rows(root, found)
    cards = [_gather(root, stage, [row for row in rows if row.stage == stage.name]) for stage in found]
    parts = [_top(root, cards, rows), _graph(cards), _cards(cards), _missed(rows), _foot()]
    return document("avatarlab", f"<main>{''.join(parts)}</main>", STYLE.read_text(encoding="utf-8"))


def _rows(root: Path, found: Sequence[Stage]) -> list[Row]:
    """Every figure beside its target, those of the benchmark of times included."""
    values = targets.figures(root / "reports" / "metrics", [*(stage.name for stage in found), "bench"])
    path = root / "notebooks" / "targets.yaml"
    return targets.compare(values, targets.read(path) if path.exists() else {})


def _gather(root: Path, stage: Stage, rows: Sequence[Row]) -> Card:
    report = root / "reports" / f"{stage.name}.html"
    times = root / "reports" / "timings" / f"{stage.name}.json"
    seconds = json.loads(times.read_text(encoding="utf-8"))["seconds"] if times.exists() else None
    picture = thumbnail(report.read_text(encoding="utf-8")) if report.exists() else ""
    return Card(stage, rows, seconds, picture, report.exists())


def thumbnail(report: str) -> str:
    """The figure of a report that shows most, made small, as a data address; nothing where it has none.

    Most is said by bytes: a picture of bodies compresses worse than a chart.
    """
    images = [base64.b64decode(match[1]) for match in PICTURE.finditer(report)]
    fitting = [data for data in images if _fits(data)] or images
    if not fitting:
        return ""
    image = Image.open(io.BytesIO(max(fitting, key=len))).convert("RGBA")
    image = image.crop((0, 0, image.width, min(image.height, image.width)))
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    return _address(paper.convert("RGB"))


def _fits(data: bytes) -> bool:
    width, height = Image.open(io.BytesIO(data)).size
    return FITTING[0] <= height / width <= FITTING[1]


def _address(image: Image.Image, width_px: int = THUMBNAIL_PX) -> str:
    """An image, made ``width_px`` wide, as JPEG in a data address."""
    data = io.BytesIO()
    image.thumbnail((width_px, width_px))
    image.save(data, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _top(root: Path, cards: Sequence[Card], rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.met is not None]
    seconds = sum(card.seconds or 0 for card in cards)
    facts = {
        "stages": f"{sum(card.reported for card in cards)} of {len(cards)}",
        "targets met": f"{sum(row.met for row in judged)} of {len(judged)}",
        "time of all stages": duration(seconds) if seconds else "not run yet",
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return (
        "<header><h1>avatarlab</h1><p>Photos and tracker recordings go in; measured, rigged, moving 3D people come out. "
        f'Every stage leaves a report; this page leads to them.</p><dl class="facts">{items}</dl></header>'
        f'<section class="avatars">{_avatars(root)}</section>'
    )


def _avatars(root: Path) -> str:
    """The avatars of stage 50, each in a view that turns, and stage 60's that moves; the lab's picture before both ran."""
    views = {
        path.parent.name: _turning(Glb(path)) for path in sorted(root.glob("data/export/*/avatar.glb"))[:AVATARS]
    }
    moving = root / "data" / "animate_body" / "animated.glb"
    views |= {"moved by a headset and two controllers": _moving(Glb(moving))} if moving.exists() else {}
    if views:
        shown = "".join(
            f"<figure>{made}<figcaption>{html.escape(name)}</figcaption></figure>" for name, made in views.items()
        )
        return f"<div class='views'>{shown}</div>{_note('The exported GLB files. Drag to turn, scroll to come nearer.')}"
    picture = root / "docs" / "picture.jpg"
    shown = (
        f'<img alt="a photo, its body, tapes and avatar" src="{_address(Image.open(picture), 1200)}">'
        if picture.exists()
        else ""
    )
    return shown + _note("The avatars turn here once stage 50 has run: make repro.")


def _turning(glb: Glb) -> str:
    return view.snapshot(
        view.turntable(view.mesh(glb.posed(), glb.faces, colors=vertex_colors(glb)), height_px=VIEW_PX)
    )


def _moving(glb: Glb) -> str:
    """The middle seconds of an animated GLB, playing in a loop."""
    times = glb.times
    middle = times[len(times) // 2]
    moments = [middle + k / view.KEYFRAMES_PER_S for k in range(round(MOVING_S * view.KEYFRAMES_PER_S))]
    frames = np.unique(np.searchsorted(times, moments).clip(max=len(times) - 1))
    points = np.stack([glb.posed(frame=frame) for frame in frames])
    return view.snapshot(view.player(points, glb.faces, view.KEYFRAMES_PER_S, height_px=VIEW_PX))


def _note(words: str) -> str:
    return f'<p class="note">{html.escape(words)}</p>'


def vertex_colors(glb: Glb) -> np.ndarray:
    """Colours (N, 3) sRGB 0..1 of a GLB's vertices: the material's times the vertex's own, both linear in the file."""
    parts = []
    for piece in glb.mesh.primitives:
        count = glb.gltf.accessors[piece.attributes.POSITION].count
        base = glb.gltf.materials[piece.material].pbrMetallicRoughness.baseColorFactor[:3]
        own = (
            glb.read(piece.attributes.COLOR_0)[:, :3]
            if piece.attributes.COLOR_0 is not None
            else np.ones((count, 3))
        )
        parts.append(np.asarray(base) * own)
    return to_srgb(torch.from_numpy(np.concatenate(parts))).numpy()


def _graph(cards: Sequence[Card]) -> str:
    stages, marks = [card.stage for card in cards], {card.stage.name: card.mark for card in cards}
    legend = (
        '<p class="note"><b class="met">✓</b> all targets met, <b class="missed">✗</b> some missed, the rest have none. '
        "An arrow means: is made from; those that follow from others are left out.</p>"
    )
    drawn = pipeline_graph.wide(stages, marks) + pipeline_graph.tall(stages, marks)
    return f"<section><h2>The pipeline</h2>{legend}{drawn}</section>"


def _cards(cards: Iterable[Card]) -> str:
    return f'<section><h2>The stages</h2><div class="cards">{"".join(map(_card, cards))}</div></section>'


def _card(card: Card) -> str:
    stage, link = card.stage, f"{card.stage.name}.html"
    picture = f'<img alt="a figure of the report" src="{card.picture}">' if card.picture else ""
    shown = f'<a class="picture" href="{link}">{picture}</a>' if card.reported else '<div class="picture"></div>'
    title = f'<a href="{link}">{html.escape(stage.label)}</a>' if card.reported else html.escape(stage.label)
    ran = f"ran {duration(card.seconds)}" if card.seconds is not None else "has not run here"
    lines = "".join(map(_line, headline(card.rows)))
    return (
        f'<article class="{card.mark.state}">{shown}<h3>{title}</h3><p>{html.escape(stage.words)}.</p>'
        f'<table>{lines}</table><footer><span class="mark">{card.mark.text}</span> <span>{ran}</span></footer></article>'
    )


def headline(rows: Sequence[Row], count: int = 2) -> list[Row]:
    """The figures that a card shows: missed ones first, then sizes, then counts that must be equal, then those without target.

    What 90_summary repeats of other stages (``10_body__file_mb``) is none of its own.
    """
    own = [row for row in rows if "__" not in row.key]
    order = {False: 0, True: 1, None: 2}
    return sorted(own, key=lambda row: (order[row.met], row.target.startswith("equals")))[:count]


def _line(row: Row) -> str:
    """One figure as a row: name, value with unit, target, and a mark in words for who sees no colour."""
    words, unit = split_unit(row.key)
    state, mark, told = {True: ("met", "✓", "met"), False: ("missed", "✗", "missed"), None: ("free", "", "")}[
        row.met
    ]
    target = row.target
    for rule, sign in SIGNS.items():
        target = target.replace(f"{rule} ", sign + "\u2009")
    value = targets.text(row.value) + (f"\u2009{unit}" if unit and row.value is not None else "")
    return (
        f'<tr class="{state}"><th>{html.escape(words)}</th><td>{html.escape(value)}</td>'
        f'<td>{html.escape(target)}</td><td title="{told}">{mark}</td></tr>'
    )


def split_unit(key: str) -> tuple[str, str]:
    """``chest_mae_mm`` -> ("chest mae", "mm")."""
    for ending, unit in UNITS.items():
        if key.endswith(f"_{ending}"):
            return key.removesuffix(f"_{ending}").replace("_", " "), unit
    return key.replace("_", " "), ""


def duration(seconds: float) -> str:
    """Seconds in words: ``48 s``, ``3 min 20 s``, ``1 h 05 min``."""
    whole_s = round(seconds)
    if whole_s < 60:
        return f"{whole_s} s"
    minutes, rest = divmod(whole_s, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _missed(rows: Sequence[Row]) -> str:
    """A table of every target that is missed, and of those whose figure is not there."""
    short = [row for row in rows if row.met is False]
    lines = "".join(_line(row).replace("<th>", f"<th>{row.stage.replace('_', ' ')}: ", 1) for row in short)
    absent = sum(row.value is None for row in short)
    title = f"Missed targets: {len(short) - absent}" + (f"; without a figure: {absent}" if absent else "")
    return f'<section><h2>{title}</h2><table class="short">{lines}</table></section>'


def _foot() -> str:
    return (
        '<p class="note">Figures: reports/metrics, in git. Targets: notebooks/targets.yaml. Seconds: reports/timings, '
        "of the last run on this machine. This page: make report.</p>"
    )
