"""Skin tone: what colour the skin has, not how a photo of unknown light shows it, with an interval for what is unknown.

Light of unknown colour and strength dominates: it moves the angle of one man's skin by tens of degrees from photo to
photo. So colour as lit = skin x light is solved by Bayes, over many drawn lights: how far cameras miss the light
against what colours skin can have. The estimate thereby takes the least likely part of a cast off the skin.
"""

from dataclasses import asdict, dataclass
from functools import cache

import cv2
import numpy as np
from scipy.stats import norm, qmc
from skimage.color import deltaE_ciede2000

from avatarlab.photo.observation import SkinSample
from avatarlab.photo.skin import MAD_TO_SD, to_lab, to_rgb

MONK_HEX = (
    *("#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96"),
    *("#a07e56", "#825c43", "#604134", "#3a312a", "#292420"),
)
"""The ten swatches of the Monk Skin Tone scale as sRGB: E. Monk 2019, released by Google in 2022 for anybody's use."""
ITA_CLASSES = (
    *((55.0, "very light"), (41.0, "light"), (28.0, "intermediate")),
    *((10.0, "tan"), (-30.0, "brown"), (-np.inf, "dark")),
)
"""Lower bound in degrees and name. Source: A. Chardon et al., Int. J. Cosmet. Sci. 13 (1991)."""
COVERAGE = 0.9

SKIN_LAB, SKIN_SD = (55.0, 13.5, 16.5), (20.0, 3.5, 3.5)
"""CIELAB of facial skin the world over, D65, and its SD: lightness left wide; redness hardly differs between peoples,
yellowness a little (K. Xiao et al., Skin Res. Technol. 23, 2017, on spectrophotometers); rounded up."""
LIGHT_SD = 0.30
"""Of the log of light times shading on the face: somewhat less than half an exposure step."""
CAST_SD, CAST_CORRELATION = (0.15, 0.25), -0.5
"""Of log red/green and log blue/green of light that the camera left uncorrected, warm against cold. Simple balancing
misses a light by 5 to 7 degrees of its RGB direction on average, which is 0.15 in these logs; blue is worst."""

DRAWS = 4096
BROADER = 2.0
"""Lights are drawn from this many times the spreads and weighed, so that unusual casts are met by enough of them."""


@dataclass(frozen=True)
class Tone:
    """Skin colour estimate: sRGB 0..1 (3,); ITA in degrees; Monk value 1..10; intervals hold COVERAGE of people.

    ``srgb_covariance`` (3, 3) is about ``srgb``; ``ita_as_lit_deg`` is the angle of the photo's own colour, uncorrected;
    ``ita_class`` belongs to ``ita_deg``.
    """

    srgb: tuple[float, float, float]
    ita_deg: float
    ita_interval_deg: tuple[float, float]
    ita_class: str
    monk: int
    monk_interval: tuple[int, int]
    ita_as_lit_deg: float
    srgb_covariance: tuple[tuple[float, ...], ...]
    coverage: float = COVERAGE

    def as_json(self) -> dict:
        """Plain JSON values."""
        return asdict(self)


def ita(lab: np.ndarray) -> np.ndarray:
    """Individual typology angle (...) in degrees of CIELAB (..., 3): the direction from (L* 50, b* 0) to (L*, b*).

    Defined for b* > 0; colours bluer than grey, which no skin has, are given the angle of b* 0.1.
    """
    lab = np.asarray(lab, float)
    return np.degrees(np.arctan2(lab[..., 0] - 50, np.maximum(lab[..., 2], 0.1)))


def ita_class(angle_deg: float) -> str:
    """Name of the class of an angle."""
    return next(name for low, name in ITA_CLASSES if angle_deg > low)


@cache
def monk_lab() -> np.ndarray:
    """CIELAB (10, 3) of the Monk swatches."""
    return to_lab(monk_rgb())


def monk_rgb() -> np.ndarray:
    """The Monk swatches as uint8 (10, 3)."""
    return np.array([list(bytes.fromhex(text[1:])) for text in MONK_HEX], np.uint8)


def monk(lab: np.ndarray) -> np.ndarray:
    """Monk value 1..10 (...) of CIELAB (..., 3): the swatch nearest by CIEDE2000."""
    lab = np.asarray(lab, float)
    return (
        deltaE_ciede2000(lab[..., None, :], np.broadcast_to(monk_lab(), (*lab.shape[:-1], 10, 3))).argmin(-1) + 1
    )


def tone(sample: SkinSample) -> Tone:
    """Estimate the skin's own colour from what a photo shows of the face; deterministic."""
    draws = _draws()
    noise = np.maximum(MAD_TO_SD * np.asarray(sample.mad, float), 0.5)
    seen = np.asarray(sample.lab, float) + noise * draws[:, :3]
    light = draws[:, 3:] @ _light_root().T
    rgb = _converted(seen, cv2.COLOR_Lab2LRGB).clip(1e-4) / np.exp(light)
    lab = _converted(rgb, cv2.COLOR_LRGB2Lab)
    weight = _weights(rgb, lab, draws[:, 3:])
    angle, step = ita(lab), monk(lab)
    middle = np.array([_quantile(lab[:, k], weight, 0.5) for k in range(3)])
    angle_deg = _quantile(angle, weight, 0.5)
    low, high = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    srgb = to_rgb(middle[None])[0]
    off = to_rgb(lab) - srgb
    return Tone(
        tuple(round(float(x), 4) for x in srgb),
        round(angle_deg, 1), tuple(round(_quantile(angle, weight, q), 1) for q in (low, high)), ita_class(angle_deg),
        int(monk(middle)), tuple(int(_quantile(step, weight, q)) for q in (low, high)),
        round(float(ita(sample.lab)), 1), tuple(tuple(row) for row in ((off.T * weight) @ off).round(6).tolist()),
    )  # fmt: skip


@cache
def _draws() -> np.ndarray:
    """Standard normal numbers (DRAWS, 6), evenly spread: three for the sample's noise, three for the light."""
    even = norm.ppf(qmc.Halton(6, scramble=True, rng=np.random.default_rng(0)).random(DRAWS).clip(1e-6, 1 - 1e-6))
    even[:, 3:] *= BROADER
    return even


def _light_root() -> np.ndarray:
    """Matrix (3, 3) that makes log light of R, G, B from standard normal numbers: strength, warm, cold."""
    (red, blue), r = CAST_SD, CAST_CORRELATION
    casts = np.array([[0, red, 0], [0, 0, 0], [0, r * blue, blue * np.sqrt(1 - r * r)]])
    casts -= casts.mean(0)  # a cast changes colour, not strength
    casts[:, 0] = LIGHT_SD
    return casts


def _weights(rgb: np.ndarray, lab: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return how likely each drawn pair of skin and light is (N,), sum 1; skin cannot give back more than it gets."""
    off = (lab - SKIN_LAB) / SKIN_SD
    log = -0.5 * (off**2).sum(1) - 0.5 * (1 - 1 / BROADER**2) * (light**2).sum(1)
    log[(rgb > 1).any(1)] = -np.inf
    weight = np.exp(log - log.max())
    return weight / weight.sum()


def _quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return the value below which ``share`` of the weight lies."""
    order = np.argsort(values, kind="stable")
    place = np.searchsorted(np.cumsum(weight[order]), share)
    return float(values[order[min(place, len(values) - 1)]])


def _converted(colours: np.ndarray, code: int) -> np.ndarray:
    """Colours (N, 3) in another space, by OpenCV's code; linear light is its LRGB."""
    return cv2.cvtColor(colours[None].astype(np.float32), code)[0].astype(float)
