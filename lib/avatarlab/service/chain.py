"""Observe, fit, measure, export: the notebooks' library calls for one order, in the process that holds the models."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import matplotlib
import numpy as np

from avatarlab import __version__, export
from avatarlab.body import Body
from avatarlab.errors import InputError
from avatarlab.files import whole, write_json
from avatarlab.fit import FitResult, conclusion, fit, outside, replaced, results
from avatarlab.fit.fitting import Progress as Step
from avatarlab.lab.parallel import one_thread
from avatarlab.measure import Measurements
from avatarlab.photo import Observation, Photo, decode, detectors
from avatarlab.service import report
from avatarlab.service.jobs import Progress
from avatarlab.service.orders import Made, Order
from avatarlab.service.settings import Settings

WEIGHTS = "pretrained"
TYPES = {
    ".glb": "model/gltf-binary",
    ".json": "application/json",
    ".npz": "application/octet-stream",
    ".png": "image/png",
    ".html": "text/html; charset=utf-8",
}
TARGETS, REPORT = "silhouette_targets.json", "report.html"
OBSERVE, FIT, FITTED, MEASURE, EXPORT, DONE = 10, 25, 75, 80, 85, 90
"""Percent of the whole job at which each stage begins; the parent has the rest on either side."""


@dataclass
class _Work:
    """An order in the making: what is known so far, and how long each stage took (s)."""

    order: Order
    tell: Callable[[Progress], None]
    seconds: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, percent: int) -> Iterator[None]:
        """Time the block; tell that it begins."""
        self.tell(Progress(stage=name, percent=percent))
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)

    def step(self, step: Step) -> None:
        """A step of the fit."""
        self.tell(Progress(stage="fit", percent=FIT + round((FITTED - FIT) * step.done / step.total)))


@dataclass(frozen=True, eq=False)
class Chain:
    """What is loaded once: settings, body, its level of detail, perhaps an outside regressor."""

    settings: Settings
    body: Body
    lod: export.Lod
    outsider: outside.Regressor | None

    @classmethod
    def load(cls, settings: Settings) -> "Chain":
        """Load everything that the first order would otherwise wait for."""
        matplotlib.use("Agg")
        if settings.gltfpack_path:
            os.environ["GLTFPACK_PATH"] = settings.gltfpack_path
        export.find_gltfpack()
        body = Body.load(settings.body_file or None)
        conclusion.learned(body, WEIGHTS)
        for network in (detectors.pose, detectors.face, detectors.hand):
            network(np.zeros((256, 256, 3), np.uint8))
        return cls(settings, body, export.reduce_body(body), outside.load(settings.regressor, body))

    @property
    def made_by(self) -> dict[str, str]:
        """What results depend on besides the order."""
        return {
            "avatarlab": __version__, "body_sha256": self.body.sha256, "weights": WEIGHTS,
            "regressor": self.settings.regressor,
        }  # fmt: skip

    def make(self, order: Order, tell: Callable[[Progress], None]) -> Made:
        """See ``Maker.make``."""
        work = _Work(order, tell)
        with one_thread():
            with work.stage("observe", OBSERVE):
                photos = {view: _decoded(view, path) for view, path in order.photos.items()}
                seen, guess, nobody = self._looked(order, photos)
                work.files += [_save_mask(order, view, one) for view, one in seen.items()]
            with work.stage("fit", FIT):
                result = self._fitted(order, seen, guess, nobody, work.step)
            with work.stage("measure", MEASURE):
                work.files += results.write(order.out, self.body, result, order.job.definitions)
                write_json(order.out / TARGETS, results.silhouette_targets(self.body, seen, result))
                work.files.append(TARGETS)
            with work.stage("export", EXPORT):
                self._export(work, result)
                if self.settings.report:
                    work.files.append(self._report(order, photos, seen, result))
        tell(Progress(stage="export", percent=DONE))
        return self._made(work, result)

    def _looked(self, order: Order, photos: dict[str, Photo]):
        """Return observations by view, the first guess, and why there are none if there are none."""
        try:
            return *outside.looked(photos, self.outsider, order.job.clothes), None
        except InputError as error:
            if order.on_failure == "fail":
                raise
            return {}, None, str(error)

    def _fitted(self, order: Order, seen: dict[str, Observation], guess, nobody: str | None, step) -> FitResult:
        job = order.job
        if nobody:
            return replaced(self.body, job.stature_cm / 100, job.sex, nobody)
        return fit(
            tuple(seen.values()), job.stature_cm / 100, self.body, job.weight_kg, job.sex,
            on_failure=order.on_failure, progress=step, guess=guess, weights=WEIGHTS,
        )  # fmt: skip

    def _export(self, work: _Work, result: FitResult) -> None:
        """Write the GLB, and the compressed one where gltfpack is; a placeholder's say so in their names."""
        order, name = work.order, "avatar_placeholder" if result.quality.placeholder else "avatar"
        path, small = order.out / f"{name}.glb", order.out / f"{name}.meshopt.glb"
        measured = json.loads((order.out / "measurements.json").read_text(encoding="utf-8"))
        pose = {"display_pose": order.display_pose, "arm_down_deg": order.arm_down_deg}
        export.write_glb(path, self.body, result.person, measured, lod=self.lod, **pose)
        work.files.append(path.name)
        if export.find_gltfpack():
            try:
                export.compress(path, small)
                work.files.append(small.name)
            except InputError as error:  # the program's fault, not the photo's: the plain GLB is there
                work.warnings.append(str(error).replace(str(order.out), "").lstrip("/"))

    def _report(self, order: Order, photos: dict[str, Photo], seen, result: FitResult) -> str:
        measured = [
            Measurements.load(order.out / results.measurements_name(number, definition))
            for number, definition in enumerate(order.job.definitions)
        ]
        rgb = {view: photo.rgb for view, photo in photos.items()}
        with whole(order.out / REPORT) as part:
            told = report.Told(order.job, rgb, seen, result, measured)
            part.write_text(report.page(self.body, told), encoding="utf-8")
        return REPORT

    def _made(self, work: _Work, result: FitResult) -> Made:
        quality = result.quality
        return Made(
            files={name: TYPES[os.path.splitext(name)[1]] for name in sorted(work.files)},
            placeholder=quality.placeholder,
            reasons=list(quality.reasons) if quality.placeholder else [],
            warnings=[*quality.warnings, *work.warnings],
            seconds=work.seconds,
            made_by=self.made_by,
        )


def _decoded(view: str, path) -> Photo:
    """A photo under its view's name: how the file was called stays out of sentences and results."""
    return decode(path.read_bytes(), f"{view} photo")


def _save_mask(order: Order, view: str, observation: Observation) -> str:
    """Write the outline as an 8-bit mask (255 the person) of the upright photo's size; return its name."""
    name = f"mask_{view}.png"
    with whole(order.out / name) as part:
        cv2.imwrite(str(part), 255 * observation.mask.astype(np.uint8))
    return name
