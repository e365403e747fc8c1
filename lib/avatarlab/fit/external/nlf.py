"""NLF (I. Sarandi and G. Pons-Moll, arXiv:2407.07532) as TorchScript: ``detect_smpl_batched`` to a first guess.

The file is models/licensed/nlf*.torchscript, weights for non-commercial research. torch.jit.load runs code of the file:
only put one there that you trust. Signature and units are those of its source: images uint8 (B, 3, H, W); a dict of
lists, one entry per image and in it one row per person (none: no rows); ``pose`` (n, 165) or (n, 55, 3) rad, ``betas``
(n, 10), ``trans`` (n, 3) in metres, but ``joints3d`` (n, 55, 3) in millimetres, ``joints2d`` (n, 55, 2) px with whole
numbers at pixel centres. Half precision may come back. Camera axes are OpenCV's.
"""

import logging
from contextlib import suppress
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.body.layout import JOINT
from avatarlab.body.model import LICENSED
from avatarlab.core.errors import InputError
from avatarlab.fit.external.interface import box, view_state
from avatarlab.fit.regressor.predict import Guess
from avatarlab.photo import Observation, Photo, observe, skeleton

log = logging.getLogger(__name__)

PAIRS = {
    "shoulder": skeleton.SHOULDERS, "elbow": skeleton.ELBOWS, "wrist": skeleton.WRISTS,
    "hip": skeleton.HIPS, "knee": skeleton.KNEES, "ankle": skeleton.ANKLES,
}  # fmt: skip
"""SMPL-X joint -> MediaPipe's keypoints of it, left and right."""
SAME_PERSON = 0.12
"""Median distance of joints, of the person's height, within which two sightings are of one person."""
KEYS = ("pose", "joints3d", "joints2d", "trans")


class Nlf:
    """An outside regressor, see ``interface.ExternalRegressor``; ``model`` has the methods of the TorchScript file."""

    def __init__(self, model, body: Body, device: str = "cpu"):
        self.model, self.device = model, device
        self.shaped = "name" not in body.header  # a licensed SMPL-X: its components are NLF's

    @classmethod
    def load(cls, body: Body, folder: str | Path = LICENSED) -> "Nlf":
        """Load models/licensed/nlf*.torchscript (the last by name), on a GPU if there is one."""
        files = sorted(Path(folder).glob("nlf*.torchscript"))
        if not files:
            raise InputError(f"{folder}: no nlf*.torchscript there; docs/licensed.md says where it comes from.")
        with suppress(ImportError):
            import torchvision  # noqa: F401  (registers the operators that the file's graph uses)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            return cls(torch.jit.load(str(files[-1]), map_location=device).eval(), body, device)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            hint = "install torchvision for this torch" if "torchvision" in str(error) else "get the file again"
            raise InputError(f"{files[-1]}: not a TorchScript that loads ({reason}); {hint}.") from None

    def __call__(self, photo: Photo, view: str = "auto") -> tuple[Observation, Guess | None]:
        seen = observe(photo, view)
        with torch.no_grad():
            people = self._people(photo, seen)
        person = _same_person(people, seen)
        if person is None:
            log.warning("%s: NLF sees nobody where the person is; the lab guesses itself", photo.name)
            return seen, None
        pose = people["pose"][person].reshape(-1, 3)
        pelvis = people["joints3d"][person, 0] / 1000
        _check_units(pelvis, people["trans"][person])
        found = view_state(seen, roma.rotvec_to_rotmat(pose[0]), pelvis, pose)
        return seen, Guess(self._betas(people, person), None, (found,)) if found else None

    def _people(self, photo: Photo, seen: Observation) -> dict[str, Tensor]:
        """Everybody in the photo, float32 on the CPU: name -> (people, ...)."""
        image = torch.from_numpy(np.ascontiguousarray(photo.rgb.transpose(2, 0, 1)))[None].to(self.device)
        centre = [(size - 1) / 2 for size in (seen.width, seen.height)]
        k = torch.tensor([[seen.focal_px, 0, centre[0]], [0, seen.focal_px, centre[1]], [0, 0, 1]]).float()
        options = {"intrinsic_matrix": k[None].to(self.device), "model_name": "smplx"}
        people = _first(self.model.detect_smpl_batched(image, **options))
        again = getattr(self.model, "estimate_smpl_batched", None)
        if len(people["pose"]) or again is None:
            return people
        # its half-precision detector is said to find nobody under torch 2.13; we know where the person is
        boxes = [torch.from_numpy(box(seen)).float()[None].to(self.device)]
        return _first(again(image, boxes, **options))

    def _betas(self, people: dict[str, Tensor], person: int) -> Tensor | None:
        """Shape, where the fit's body has NLF's components; elsewhere there is no way to it: vertices do not match."""
        return people["betas"][person] if self.shaped and "betas" in people else None


def _first(prediction: dict) -> dict[str, Tensor]:
    """The first image's people of ragged lists."""
    missing = [key for key in KEYS if key not in prediction]
    if missing:
        raise InputError(
            f"nlf: the file's detect_smpl_batched gives no {', '.join(missing)}; use an SMPL(-X) release."
        )
    return {key: prediction[key][0].float().cpu() for key in (*KEYS, *({"betas"} & {*prediction}))}


def _same_person(people: dict[str, Tensor], seen: Observation) -> int | None:
    """Which of them is the person observed: joints nearest to our keypoints, if near enough."""
    theirs = [JOINT[f"{side}_{name}"] for name in PAIRS for side in skeleton.SIDES]
    ours = seen.keypoints[[number for pair in PAIRS.values() for number in pair]]
    visible = ours[:, 2] > 0.5
    if not len(people["pose"]) or visible.sum() < 4:
        return None
    pixels = people["joints2d"][:, theirs].numpy() + 0.5  # our pixels' centres are at halves
    off = np.linalg.norm(pixels - ours[:, :2], axis=-1)[:, visible]
    middle = np.median(off, axis=1) / box(seen)[3]
    return int(middle.argmin()) if middle.min() < SAME_PERSON else None


def _check_units(pelvis_m: Tensor, trans_m: Tensor) -> None:
    """joints3d is in mm, trans in m: both say where the person is, to within the pelvis' place in the body."""
    if not float((pelvis_m - trans_m).norm()) < 1.5:
        raise InputError(
            f"nlf: joints3d puts the pelvis at {pelvis_m.tolist()} m, trans the body at {trans_m.tolist()} m; another release?"
        )
