"""The handler of the kind ``avatar``: ``export.bundle`` with the models that the child process holds."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np

from avatarlab import __version__, export
from avatarlab.export import bundle
from avatarlab.fit.estimator import posterior_update
from avatarlab.photo import detectors
from avatarlab.service.jobs import JobProgress
from avatarlab.service.messages import Artifacts, Task
from avatarlab.service.settings import ServiceSettings

WEIGHTS = "pretrained"
TYPES = {
    ".glb": "model/gltf-binary",
    ".json": "application/json",
    ".npz": "application/octet-stream",
    ".png": "image/png",
    ".html": "text/html; charset=utf-8",
}
PERCENT = {"observe": (10, 25), "fit": (25, 75), "measure": (80, 85), "export": (85, 90)}
"""Percent of the whole job at which each stage begins and ends; the parent has the rest on either side."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What is loaded once: settings, and the models of every avatar."""

    settings: ServiceSettings
    models: bundle.Models

    @classmethod
    def load(cls, settings: ServiceSettings) -> "Pipeline":
        """Load everything that the first job would otherwise wait for; InputError names what is missing and the remedy."""
        matplotlib.use("Agg")
        if settings.gltfpack_path:
            os.environ["GLTFPACK_PATH"] = settings.gltfpack_path
        export.find_gltfpack()
        models = bundle.Models.load(settings.body_file or None, settings.regressor)
        posterior_update.load_posterior(models.body, WEIGHTS)
        for network in (detectors.pose, detectors.face, detectors.hand):
            network(np.zeros((256, 256, 3), np.uint8))
        return cls(settings, models)

    @property
    def made_by(self) -> dict[str, str]:
        """What results depend on besides the job."""
        return {
            "avatarlab": __version__, "body_sha256": self.models.body.sha256, "weights": WEIGHTS,
            "regressor": self.settings.regressor,
        }  # fmt: skip

    def make(self, task: Task, report: Callable[[JobProgress], None]) -> Artifacts:
        """Fill ``task.out``; InputError where the photos or the job cannot be used. Equal jobs, equal bytes."""
        job, settings = task.job, self.settings
        arm_down_deg = settings.arm_down_deg if job.arm_down_deg is None else job.arm_down_deg
        options = bundle.ExportOptions(
            tuple(job.definitions), job.display_pose or settings.display_pose, arm_down_deg,
            settings.failing(job.on_failure), WEIGHTS, report=settings.report,
        )  # fmt: skip
        made = bundle.make(
            task.out, job.subject, task.inputs, job.facts, self.models, options,
            lambda stage, share: report(JobProgress(stage=stage, percent=_percent(stage, share))),
        )  # fmt: skip
        report(JobProgress(stage="export", percent=_percent("export", 1)))
        quality = made.person.result.quality
        return Artifacts(
            files={name: TYPES[os.path.splitext(name)[1]] for name in made.files},
            placeholder=quality.placeholder,
            reasons=list(quality.reasons) if quality.placeholder else [],
            warnings=[*quality.warnings, *made.warnings],
            seconds=dict(made.seconds),
            made_by=self.made_by,
        )


def _percent(stage: str, share: float) -> int:
    """Percent of the job where a share (0 to 1) of a stage is done."""
    begin, end = PERCENT[stage]
    return begin + round((end - begin) * share)
