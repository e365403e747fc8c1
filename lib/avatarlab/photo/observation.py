"""``Observation``: what one photo shows, frozen, in one npz with a JSON header and no pickle."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, write_npz
from avatarlab.core.shapes import expect
from avatarlab.core.subject import CLOTHES

SCHEMA = "avatarlab.observation/2"
CAPTURES = ("studio", "everyday", "photo")
"""How an outline came about, which decides how far it is trusted: ``studio`` is an exact mask of tight clothes,
``everyday`` any other mask of clothed people, ``photo`` what ``observe`` found in a picture."""
CAPTURE_IN = {"any": "photo", "tight": "everyday", "minimal": "studio"}
"""What somebody wears in a photograph -> the capture it counts as: tight clothes leave some millimetres of air, minimal
ones (swimwear, leggings) none, any may hide a hand's breadth at the waist."""
PART_NAMES = ("background", "head", "trunk", "left_arm", "right_arm", "left_leg", "right_leg")


def capture_of(clothes: str) -> str:
    """Return the capture that a photograph of somebody in ``clothes`` counts as; InputError for what is not in CLOTHES."""
    if clothes not in CLOTHES:
        raise InputError(f"clothes: got {clothes!r}, expected one of {', '.join(CLOTHES)}.")
    return CAPTURE_IN[clothes]


@dataclass(frozen=True)
class Finding:
    """Something about the photo that the user should know: a code for programs, a sentence for people."""

    code: str
    sentence: str
    fatal: bool = False


@dataclass(frozen=True, eq=False)
class SkinSample:
    """Skin colour from the face: CIELAB (D65) median and MAD (3,), the median as sRGB 0..1 (3,), pixel count."""

    lab: np.ndarray
    mad: np.ndarray
    rgb: np.ndarray
    count: int


@dataclass(frozen=True, eq=False)
class Hands:
    """MediaPipe hand points (21, 3) px (x, y, relative depth) of the person's own left and right, or None."""

    left: np.ndarray | None = None
    right: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Observation:
    """One photo's person.

    keypoints (33, 3): MediaPipe order, x, y in px, visibility 0..1; keypoints_world (33, 3) m, hips at 0, x right,
    y down, z away from the camera. mask (H, W) bool; confidence (H, W) uint8 is the network's mask x 255, unrefined.
    parts (H, W) uint8 indexes PART_NAMES (left and right are the person's own). face (478, 3) px. focal_source is
    "exif" or "assumed", ``capture`` one of CAPTURES. yaw_deg: 0 faces the camera, positive turns to the person's left
    (towards image right).
    """

    PART_NAMES = PART_NAMES

    width: int
    height: int
    focal_px: float
    focal_source: str
    view: str
    yaw_deg: float
    keypoints: np.ndarray
    keypoints_world: np.ndarray
    mask: np.ndarray
    confidence: np.ndarray
    parts: np.ndarray
    face: np.ndarray | None
    hands: Hands
    skin: SkinSample | None
    findings: tuple[Finding, ...]
    name: str = "photo"
    capture: str = "photo"

    def __post_init__(self):
        if self.capture not in CAPTURES:
            raise InputError(f"capture: got {self.capture!r}, expected one of {', '.join(CAPTURES)}.")
        image = (self.height, self.width)
        expect("keypoints", self.keypoints, (33, 3))
        expect("keypoints_world", self.keypoints_world, (33, 3))
        for name in ("mask", "confidence", "parts"):
            expect(name, getattr(self, name), image)
        for name, points, count in (
            ("face", self.face, 478),
            ("hand", self.hands.left, 21),
            ("hand", self.hands.right, 21),
        ):
            if points is not None:
                expect(name, points, (count, 3))

    @property
    def codes(self) -> frozenset[str]:
        """The findings' codes."""
        return frozenset(finding.code for finding in self.findings)

    def part(self, *names: str) -> np.ndarray:
        """Return the mask (H, W) bool of the named parts together."""
        return np.isin(self.parts, [PART_NAMES.index(name) for name in names])

    def worn(self, clothes: str) -> "Observation":
        """Return the observation with the capture that ``clothes``, one of CLOTHES, make it."""
        return replace(self, capture=capture_of(clothes))

    def save(self, path: str | Path) -> None:
        """Write one npz; equal observations give equal bytes."""
        header = {name: getattr(self, name) for name in _PLAIN}
        header |= {"schema": SCHEMA, "findings": [asdict(finding) for finding in self.findings]}
        header["skin_count"] = self.skin.count if self.skin else None
        write_npz(path, _arrays(self), header)

    @staticmethod
    def load(path: str | Path) -> "Observation":
        """Read what ``save`` wrote; anything else raises InputError."""
        arrays, header = read_npz(path)
        if header.get("schema") != SCHEMA:
            raise InputError(
                f"{path}: schema {header.get('schema')!r} is not {SCHEMA!r}; observe the photo again."
            )
        try:
            return _restored(arrays, header)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged observation ({error}); observe the photo again.") from None


_PLAIN = ("width", "height", "focal_px", "focal_source", "view", "yaw_deg", "name", "capture")
_ARRAYS = ("keypoints", "keypoints_world", "mask", "confidence", "parts", "face")


def _arrays(observation: Observation) -> dict[str, np.ndarray]:
    """Return the arrays by file key; what is None is left out."""
    found = {name: getattr(observation, name) for name in _ARRAYS}
    found |= {"hand_left": observation.hands.left, "hand_right": observation.hands.right}
    if observation.skin:
        found |= {f"skin_{key}": getattr(observation.skin, key) for key in ("lab", "mad", "rgb")}
    return {name: array for name, array in found.items() if array is not None}


def _restored(arrays: dict[str, np.ndarray], header: dict) -> Observation:
    """Return the Observation of a file's arrays and header."""
    skin = None
    if header["skin_count"] is not None:
        skin = SkinSample(arrays["skin_lab"], arrays["skin_mad"], arrays["skin_rgb"], int(header["skin_count"]))
    given = {name: header[name] for name in _PLAIN}
    given |= {name: arrays[name] for name in _ARRAYS if name != "face"}
    given |= {"face": arrays.get("face"), "skin": skin}
    given["hands"] = Hands(arrays.get("hand_left"), arrays.get("hand_right"))
    given["findings"] = tuple(Finding(**finding) for finding in header["findings"])
    return Observation(**{field.name: given[field.name] for field in fields(Observation)})
