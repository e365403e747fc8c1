"""One avatar, one folder: photos of a person in; person, measurements, masks, GLB and report out.

What the service, the demo and the command ``avatarlab.export.avatar`` do is ``make``; they differ in whom they tell.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.files import whole
from avatarlab.core.parallel import one_thread
from avatarlab.core.subject import Subject
from avatarlab.export import materials, report
from avatarlab.export.glb import write_glb
from avatarlab.export.lod import Lod, reduce_body
from avatarlab.export.meshopt import compress, find_gltfpack
from avatarlab.export.obj import displayed_vertices
from avatarlab.fit import FittedPerson, external, fit_person, results
from avatarlab.fit.person import look_at
from avatarlab.measure import Measurements
from avatarlab.photo import Photo
from avatarlab.show import view

STAGES = ("observe", "fit", "measure", "export")
REPORT = "report.html"
EXTRAS = ("masks", "targets")

Tell = Callable[[str, float], None]
"""Hears the stage that is on, and which share of it is done (0 to 1)."""


@dataclass(frozen=True, eq=False)
class Models:
    """What is loaded once for any number of avatars: body, its level of detail, perhaps an outside regressor."""

    body: Body
    lod: Lod
    regressor: external.ExternalRegressor | None = None

    @classmethod
    def load(cls, body_file: str | Path | None = None, regressor: str = "none") -> "Models":
        """Load the body (None: the usual one) and what belongs to it; seconds."""
        body = Body.load(body_file)
        return cls(body, reduce_body(body), external.load(regressor, body))


@dataclass(frozen=True)
class ExportOptions:
    """How the avatar shall be: whose tapes, what a viewer shows first, what becomes of photos that no body fits.

    ``report``: also report.html, in which the avatar turns in 3D (and scripts run) with ``turning``.
    """

    definitions: tuple[str, ...] = ("ansur",)
    display_pose: str = "apose"
    arm_down_deg: float = 45.0
    on_failure: str = "fail"
    weights: str = "pretrained"
    report: bool = True
    turning: bool = False


@dataclass(frozen=True, eq=False)
class Bundle:
    """What lies in the folder: names of files, the person, what went wrong in making them, seconds by stage."""

    files: tuple[str, ...]
    person: FittedPerson
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]


def make(
    place: Path,
    title: str,
    photos: Mapping[str, Photo | Path],
    subject: Subject,
    models: Models,
    wishes: ExportOptions = ExportOptions(),
    tell: Tell = lambda stage, share: None,
) -> Bundle:
    """Make the avatar of the person on photos by view (front, side) in the folder ``place``; equal input, equal bytes.

    ``title`` heads the report. InputError where photos show no person or no body fits, unless ``wishes.on_failure`` is
    "placeholder": files are then called avatar_placeholder.glb and so on, and say so inside.
    """
    clock, body = _Clock(tell), models.body
    with one_thread():
        with clock.stage("observe"):
            look = look_at(photos, subject.clothes, models.regressor, wishes.on_failure)
        with clock.stage("fit"):
            person = fit_person(
                look, subject, body, on_failure=wishes.on_failure, weights=wishes.weights,
                progress=lambda step: tell("fit", step.done / step.total),
            )  # fmt: skip
        with clock.stage("measure"):
            files = results.write(place, body, person, wishes.definitions, EXTRAS)
        with clock.stage("export"):
            exported, warnings = _export(place, person, models, wishes)
            files += exported
            if wishes.report:
                files.append(_report(place, title, person, models, wishes))
    return Bundle(tuple(sorted(files)), person, tuple(warnings), clock.seconds)


@dataclass
class _Clock:
    """Tells that a stage begins, and keeps how long it took (s)."""

    tell: Tell
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block."""
        self.tell(name, 0.0)
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)


def _export(
    place: Path, person: FittedPerson, models: Models, wishes: ExportOptions
) -> tuple[list[str], list[str]]:
    """Write the GLB, and the compressed one where gltfpack is; return names and warnings."""
    name = "avatar_placeholder" if person.result.quality.placeholder else "avatar"
    path, small = place / f"{name}.glb", place / f"{name}.meshopt.glb"
    measured = json.loads((place / results.measurements_name(0, "")).read_text(encoding="utf-8"))
    write_glb(path, models.body, person.result.person, measured, lod=models.lod, **_pose(wishes))
    if not find_gltfpack():
        return [path.name], []
    try:
        compress(path, small)
    except InputError as error:  # the program's fault, not the photo's: the plain GLB is there
        return [path.name], [str(error).replace(str(place), "").lstrip("/")]
    return [path.name, small.name], []


def _pose(wishes: ExportOptions) -> dict:
    return {"display_pose": wishes.display_pose, "arm_down_deg": wishes.arm_down_deg}


def _report(place: Path, title: str, person: FittedPerson, models: Models, wishes: ExportOptions) -> str:
    """Write the page about what lies in ``place``; return its name."""
    names = [results.measurements_name(number, one) for number, one in enumerate(wishes.definitions)]
    measured = [Measurements.load(place / name) for name in names]
    shown = turning(person, models, wishes) if wishes.turning else None
    with whole(place / REPORT) as part:
        part.write_text(report.page(models.body, title, person, measured, shown), encoding="utf-8")
    return REPORT


def turning(person: FittedPerson, models: Models, wishes: ExportOptions = ExportOptions()) -> str:
    """The avatar as a frame of HTML in which it turns: the level of detail, pose and colours of the GLB."""
    fitted, lod = person.result.person, models.lod
    vertices = displayed_vertices(models.body, fitted, **_pose(wishes))[lod.keep]
    colors = materials.vertex_colors(models.body, lod, vertices, materials.skin_tone(fitted))
    return view.snapshot(view.turntable(view.mesh(vertices, lod.faces, colors=colors)))
