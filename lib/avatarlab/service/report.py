"""``report.html``: what the fit notebook shows of a person, as one page that opens offline; equal fits, equal bytes.

Names and reasons are text wherever they stand, and the page allows itself no script and no request.
"""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from avatarlab import __version__
from avatarlab.body import Body
from avatarlab.fit import FitResult, placeholder, results
from avatarlab.fit.pictures import row_table
from avatarlab.lab import figures
from avatarlab.lab.page import document
from avatarlab.measure import MEASURES, Measurements
from avatarlab.photo import Observation, picture
from avatarlab.photo.tone import Tone, monk_rgb
from avatarlab.service.jobs import AvatarJob

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
JPEG_QUALITY = 85


@dataclass(frozen=True, eq=False)
class Told:
    """What a report tells of: the job, and per view photo (uint8 (H, W, 3)) and observation, the fit, its measures."""

    job: AvatarJob
    photos: Mapping[str, np.ndarray]
    seen: Mapping[str, Observation]
    result: FitResult
    measured: Sequence[Measurements]


def page(body: Body, told: Told) -> str:
    """The whole page."""
    figures.style()
    quality = told.result.quality
    parts = [_heading(told), _photos(told), *_body(body, told)]
    parts += [_table(found) for found in told.measured]
    parts += [_open(told), _skin(quality.skin), _notes("What to know", quality.warnings)]
    return document(told.job.subject, f"<main>{''.join(parts)}</main>", STYLE, LOCKED)


def _heading(told: Told) -> str:
    job, quality = told.job, told.result.quality
    weight = f"{job.weight_kg:g} kg" if job.weight_kg else "weight not given"
    facts = f"{job.stature_cm:g} cm, {weight}, sex {job.sex}, clothes {job.clothes}; avatarlab {__version__}"
    banner = f'<p class="failure">{_text(quality.warnings[0])}</p>' if quality.placeholder else ""
    return _section(job.subject, f"{banner}<p>{_text(facts)}</p>{_list(quality.reasons)}", 1)


def _photos(told: Told) -> str:
    pictures = {view: picture(told.photos[view], one) for view, one in told.seen.items()}
    words = "The person's outline, its parts and keypoints, and in words what is missing."
    return _section("What the photos show", f"<p>{words}</p>{_row(pictures)}") if pictures else ""


def _body(body: Body, told: Told) -> Iterable[str]:
    """The body over the photos, and how wide both are; nothing where no body was fitted."""
    result, betas = told.result, told.result.person.betas()
    fitted = list(zip(told.seen, result.poses, result.cameras, strict=False))
    if not fitted:
        return
    over = {
        view: results.picture(told.photos[view], told.seen[view].mask, body, betas, pose, camera)
        for view, pose, camera in fitted
    }
    notes = {
        one.view: f"IoU {one.iou:.3f}, keypoints {one.keypoint_error_px:.1f} px off, outline {one.outline_rms_mm:.0f} mm"
        for one in result.quality.views
    }
    words = "Orange is the photo's outline, blue the body's. Hair, shoes and hands may stick out: they count for little."
    yield _section("The body over the photo", f"<p>{words}</p>{_row(over, notes)}")
    words = (
        "How wide the trunk is, level by level, in the photo, on the average body of that stature in the same pose, and "
        "on the fitted one. Where an arm touches the trunk the photo tells no width, and its line is missing. Unless "
        "clothes are minimal, they stand off the body by some millimetres."
    )
    yield _section(
        "Row widths", f"<p>{words}</p>{_figure(_widths(body, told, fitted), 'row widths of the trunk')}"
    )


def _widths(body: Body, told: Told, fitted: list) -> Figure:
    job, mine = told.job, told.result.person.betas()
    mean = placeholder(body, job.stature_cm / 100, job.sex).betas()
    figure, grid = plt.subplots(1, len(fitted), figsize=(4.3 * len(fitted) + 1, 4.5), squeeze=False)
    for axes, (view, pose, camera) in zip(grid[0], fitted, strict=True):
        before, after = (row_table(body, told.seen[view], betas, pose, camera) for betas in (mean, mine))
        colours = figures.PALETTE
        axes.plot(after.photo_mm, after.level, color=colours["orange"], lw=4, alpha=0.5, label="photo")
        axes.plot(before.body_mm, before.level, color=colours["grey"], label="average body")
        axes.plot(after.body_mm, after.level, color=colours["blue"], label="fitted body")
        axes.set(title=view, xlabel="trunk width (mm)", ylabel="row of the photo (px)")
        axes.invert_yaxis()
    figures.legend_outside(grid[0][-1])
    figure.suptitle("What the photos add to the average body", x=0.01, ha="left", fontweight="bold")
    return figure


def _table(found: Measurements) -> str:
    rows = [
        (name.replace("_", " "), _cm(entry.value), _between(entry.interval), entry.reason or "")
        for name in MEASURES
        for entry in [found.measures[name]]
    ]
    cells = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    head = f"<tr><th>measure</th><th>cm</th><th>{100 * found.coverage:.0f} % interval</th><th></th></tr>"
    return _section(f"Measurements ({found.definition})", f"<table>{head}{cells}</table>")


def _cm(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _between(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    return "as given" if interval[0] == interval[1] else f"{interval[0]:.1f} to {interval[1]:.1f}"


def _open(told: Told) -> str:
    quality = told.result.quality
    words = (
        f"Intervals are {'' if quality.calibrated else 'not '}calibrated on people whose tapes are known. What the photos "
        "show little of stays nearly as wide as in the population of that stature, and what they cannot know is withheld."
    )
    names = [name for name in quality.tape_sd_cm if name != "stature"]
    figure, axes = plt.subplots(figsize=(9, 4.5))
    for withheld, label, colour in ((False, "known", "blue"), (True, "withheld", "grey")):
        at = [k for k, name in enumerate(names) if (name in quality.withheld) == withheld]
        spread = [10 * quality.tape_sd_cm[names[k]] for k in at]
        if at:
            axes.plot(spread, at, "o", color=figures.PALETTE[colour], label=label)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set(title="What is not in the picture stays wide", xlabel="standard deviation (mm)")
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    figures.legend_outside(axes)
    return _section("What the photos leave open", f"<p>{words}</p>{_figure(figure, 'spread of each measure')}")


def _skin(tone: Tone | None) -> str:
    if tone is None:
        return ""
    low, high = tone.ita_interval_deg
    words = (
        f"{tone.ita_class.capitalize()}, angle {tone.ita_deg:.0f} ({low:.0f} to {high:.0f}) degrees, "
        f"{tone.ita_as_lit_deg:.0f} as lit. The light's colour and strength are unknown, so the intervals are wide."
    )
    figure, axes = plt.subplots(figsize=(9, 1.9))
    axes.imshow([[*(monk_rgb() / 255), tone.srgb]], extent=(0.5, 11.5, 0, 1), aspect="auto")
    axes.plot(tone.monk_interval, (0.15, 0.15), "o-", color=figures.PALETTE["blue"], lw=3)
    axes.set(yticks=[], xticks=range(1, 12), xticklabels=[*range(1, 11), "estimate"])
    axes.set(xlabel="value of the Monk scale", title=f"Monk {tone.monk}, the line holds 90 of 100")
    axes.grid(False)
    return _section("The skin's tone", f"<p>{_text(words)}</p>{_figure(figure, 'skin tone on the Monk scale')}")


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
