"""``report.html``: a fitted person and their avatar as one page that opens offline; equal people, equal bytes.

Names and reasons are text wherever they stand. The page makes no request, and runs no script unless the avatar turns.
"""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from avatarlab import __version__
from avatarlab.body import Body
from avatarlab.fit import FittedPerson, plots
from avatarlab.measure import MEASURES, Measurements
from avatarlab.photo.tone import Tone
from avatarlab.show import figures
from avatarlab.show.page import document

STYLE = """
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
.row figure { flex: 1 1 18rem; margin: .6rem 0; max-width: 32rem; }
.row img { height: auto; max-width: 100%; }
figcaption { color: #5b6675; font-size: .85rem; }
"""
LOCKED = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
TURNING = LOCKED.replace(
    "img-src data:;",
    "img-src data: blob:; font-src data:; script-src 'unsafe-inline' 'unsafe-eval'; worker-src blob:;",
)
"""What the browser may do: draw; where the avatar turns also run the page's own scripts, but never ask anybody."""
JPEG_QUALITY = 85


def page(
    body: Body, title: str, person: FittedPerson, measured: Sequence[Measurements], turning: str | None = None
) -> str:
    """The whole page of one person called ``title``; ``turning``: the avatar as a frame of ``show.view.snapshot``."""
    figures.style()
    quality = person.result.quality
    parts = [_heading(title, person), *_avatar(turning), _photos(person), *_body(body, person)]
    parts += [_table(one) for one in measured]
    parts += [_open(person), _skin(quality.skin), _notes("What to know", quality.warnings)]
    return document(title, f"<main>{''.join(parts)}</main>", STYLE, TURNING if turning else LOCKED)


def _heading(title: str, person: FittedPerson) -> str:
    subject, quality = person.subject, person.result.quality
    weight = f"{subject.weight_kg:g} kg" if subject.weight_kg else "weight not given"
    facts = f"{100 * subject.stature_m:g} cm, {weight}, sex {subject.sex}, clothes {subject.clothes}; avatarlab {__version__}"
    banner = f'<p class="failure">{_text(quality.warnings[0])}</p>' if quality.placeholder else ""
    return _section(title, f"{banner}<p>{_text(facts)}</p>{_list(quality.reasons)}", 1)


def _avatar(turning: str | None) -> Iterable[str]:
    if turning:
        words = "avatar.glb as a viewer shows it. It turns until it is touched; then drag to turn it, scroll to come nearer."
        yield _section("The avatar", f"<p>{words}</p>{turning}")


def _photos(person: FittedPerson) -> str:
    pictures = plots.plot_observations(person.look)
    words = "The person's outline, its parts and keypoints, and in words what is missing."
    return _section("What the photos show", f"<p>{words}</p>{_row(pictures)}") if pictures else ""


def _body(body: Body, person: FittedPerson) -> Iterable[str]:
    """The body over the photos, and how wide both are; nothing where no body was fitted."""
    over = plots.overlays(body, person)
    if not over:
        return
    notes = {
        one.view: f"IoU {one.iou:.3f}, keypoints {one.keypoint_error_px:.1f} px off, outline {one.outline_rms_mm:.0f} mm"
        for one in person.result.quality.views
    }
    words = "Orange is the photo's outline, blue the body's. Hair, shoes and hands may stick out: they count for little."
    yield _section("The body over the photo", f"<p>{words}</p>{_row(over, notes)}")
    words = (
        "How wide the trunk is, level by level, in the photo, on the average body of that stature in the same pose, and "
        "on the fitted one. Where an arm touches the trunk the photo tells no width, and its line is missing. Unless "
        "clothes are minimal, they stand off the body by some millimetres."
    )
    drawn = _figure(plots.row_widths(body, {"": person}), "row widths of the trunk")
    yield _section("Row widths", f"<p>{words}</p>{drawn}")


def _table(found: Measurements) -> str:
    rows = [
        (name.replace("_", " "), _cm(entry.value), interval_text(entry.interval), entry.reason or "")
        for name in MEASURES
        for entry in [found.measures[name]]
    ]
    cells = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    head = f"<tr><th>measure</th><th>cm</th><th>{100 * found.coverage:.0f} % interval</th><th></th></tr>"
    return _section(f"Measurements ({found.definition})", f"<table>{head}{cells}</table>")


def _cm(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def interval_text(interval: tuple[float, float] | None) -> str:
    """An interval in cm in words; nothing where there is none."""
    if interval is None:
        return ""
    return "as given" if interval[0] == interval[1] else f"{interval[0]:.1f} to {interval[1]:.1f}"


def _open(person: FittedPerson) -> str:
    words = (
        f"Intervals are {'' if person.result.quality.calibrated else 'not '}calibrated on people whose tapes are known. What "
        "the photos show little of is guessed, and stays nearly as wide as in the population of that stature; what they "
        "cannot know is withheld."
    )
    drawn = _figure(plots.plot_std({"": person}), "spread of each measure")
    return _section("What the photos leave open", f"<p>{words}</p>{drawn}")


def _skin(tone: Tone | None) -> str:
    if tone is None:
        return ""
    low, high = tone.ita_interval_deg
    words = (
        f"{tone.ita_class.capitalize()}, angle {tone.ita_deg:.0f} ({low:.0f} to {high:.0f}) degrees, "
        f"{tone.ita_as_lit_deg:.0f} as lit. The light's colour and strength are unknown, so the intervals are wide."
    )
    drawn = _figure(plots.tones({"": tone}), "skin tone on the Monk scale")
    return _section("The skin's tone", f"<p>{_text(words)}</p>{drawn}")


def _notes(title: str, lines: Iterable[str]) -> str:
    return _section(title, _list(lines)) if lines else ""


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _section(title: str, inner: str, level: int = 2) -> str:
    """A part of the page; ``title`` is text, ``inner`` HTML."""
    return f"<section><h{level}>{_text(title)}</h{level}>{inner}</section>\n"


def _text(words: str) -> str:
    return html.escape(words)


def _row(pictures: Mapping[str, np.ndarray], notes: Mapping[str, str] | None = None) -> str:
    """Pictures uint8 (H, W, 3) side by side, each with its view's name and note."""
    notes = notes or {}
    items = []
    for view, rgb in pictures.items():
        data = io.BytesIO()
        Image.fromarray(rgb).save(data, "JPEG", quality=JPEG_QUALITY)
        caption = f"<figcaption>{_text(f'{view}: {notes[view]}' if view in notes else view)}</figcaption>"
        items.append(f"<figure>{_image('jpeg', data, view)}{caption}</figure>")
    return f'<div class="row">{"".join(items)}</div>'


def _figure(figure: Figure, title: str) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    plt.close(figure)
    return f'<div class="out">{_image("png", data, title)}</div>'


def _image(kind: str, data: io.BytesIO, title: str) -> str:
    text = base64.b64encode(data.getvalue()).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/{kind};base64,{text}">'
