"""From ANSUR II's public tables to the small statistics file that the package carries."""

import csv
from pathlib import Path

import numpy as np
from scipy.stats import norm, rankdata

from avatarlab.core.errors import InputError

FILES = {"male": "ANSUR_II_MALE_Public.csv", "female": "ANSUR_II_FEMALE_Public.csv"}

MEASURE_COLUMNS = {
    **{"head": "headcircumference", "neck": "neckcircumference", "chest": "chestcircumference"},
    **{"waist": "waistcircumference", "hip": "buttockcircumference", "wrist": "wristcircumference"},
    **{
        "bicep": "bicepscircumferenceflexed",
        "forearm": "forearmcircumferenceflexed",
        "thigh": "thighcircumference",
    },
    **{"calf": "calfcircumference", "ankle": "anklecircumference"},
    "shoulder_to_crotch": "acromialheight - crotchheight",
    "arm_length": "acromionradialelength + radialestylionlength",
    **{"inside_leg": "crotchheight", "shoulder_breadth": "biacromialbreadth", "stature": "stature"},
}
"""Our 16 measures -> the ANSUR II column they are compared with, or a sum or difference of two (body.md section
2.1)."""

FURTHER_COLUMNS = (
    *(
        "chestbreadth",
        "chestdepth",
        "waistbreadth",
        "waistdepth",
        "hipbreadth",
        "buttockdepth",
        "bideltoidbreadth",
    ),
    *("headbreadth", "headlength", "acromialheight", "axillaheight", "cervicaleheight", "chestheight"),
    *("waistheightomphalion", "iliocristaleheight", "tenthribheight", "buttockheight", "kneeheightmidpatella"),
    *("tibialheight", "lateralmalleolusheight", "footlength", "handlength", "span", "sittingheight"),
    *("shouldercircumference", "lowerthighcircumference"),
)
"""Columns kept under their own names."""

LEVELS = (
    *(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999),
)
"""The 21 quantile levels of the file."""


def read(folder: str | Path, sex: str) -> dict[str, np.ndarray]:
    """Read one sex's table: name -> (N,) in metres, ``weight`` in kg; names as in MEASURE_COLUMNS,
    FURTHER_COLUMNS."""
    path = Path(folder) / FILES[sex]
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the folder that holds {' and '.join(FILES.values())}.")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {"weight": "weightkg", **MEASURE_COLUMNS, **{name: name for name in FURTHER_COLUMNS}}
    unit = {"weight": 0.1}
    return {name: unit.get(name, 1e-3) * _column(rows, text, path) for name, text in expected.items()}


def _column(rows: list[dict[str, str]], text: str, path: Path) -> np.ndarray:
    """Evaluate 'a', 'a + b' or 'a - b' over the rows."""
    first, *rest = text.split()
    try:
        value = np.array([float(row[first]) for row in rows])
        if rest:
            sign = {"+": 1.0, "-": -1.0}[rest[0]]
            value = value + sign * np.array([float(row[rest[1]]) for row in rows])
    except KeyError as error:
        raise InputError(f"{path}: has no column {error}; is it the ANSUR II public table?") from None
    return value


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Values (..., N) -> standard normal scores of their ranks (..., N)."""
    return norm.ppf((rankdata(values, axis=-1) - 0.5) / values.shape[-1])


def unrounded(values: np.ndarray) -> np.ndarray:
    """Spread tied values (N,) evenly over the rounding step they were read with, sorted: quantiles then never
    tie."""
    levels, counts = np.unique(values, return_counts=True)
    step = np.diff(levels).min() if len(levels) > 1 else 0.0
    within = np.concatenate([(np.arange(n) + 0.5) / n - 0.5 for n in counts])
    return np.repeat(levels, counts) + step * within


def statistics(columns: dict[str, np.ndarray]) -> dict:
    """Describe columns of N people: count, names, mean, sd, quantiles at LEVELS, correlation of normal scores."""
    table = np.stack(list(columns.values()))
    return {
        "count": table.shape[1],
        "names": list(columns),
        "mean": table.mean(1).round(5).tolist(),
        "sd": table.std(1, ddof=1).round(5).tolist(),
        "quantiles": [np.quantile(unrounded(row), LEVELS).round(5).tolist() for row in table],
        "correlation": np.corrcoef(normal_scores(table)).round(5).tolist(),
    }
