"""The scores as figures and tables: flat figures for the metrics file, the one table of the report."""

import math
from collections.abc import Iterable, Mapping

from avatarlab.motion.evaluate.metrics import FURTHER, METRICS, OF_TRUTH

Means = Mapping[tuple[str, str], Mapping[str, float]]
SPLIT_WORDS = {
    "heldout": "held-out subjects",
    "random": "one clip in ten",
    "cross": "learned from CMU, tested on HDM05",
}
WIDTH = 6
"""Characters of a column: the table then fits a page of the report."""
HEADS = {
    "mpjre_deg": ("MPJRE", "SAGE", "deg"),
    "mpjre_geodesic_deg": ("MPJRE", "geod.", "deg"),
    "mpjpe_cm": ("MPJPE", "", "cm"),
    "mpjve_cm_s": ("MPJVE", "", "cm/s"),
    "hand_cm": ("hands", "", "cm"),
    "upper_cm": ("upper", "", "cm"),
    "lower_cm": ("lower", "", "cm"),
    "root_cm": ("root", "", "cm"),
    "jitter_100m_s3": ("jit-", "ter", "hm/s³"),
    "foot_skate_cm_s": ("foot", "skate", "cm/s"),
    "floor_penetration_cm": ("below", "floor", "cm"),
}
"""Three lines over each column of the table; hm: hundred metres, as papers print jitter."""
RATIOS = {
    ("sage", "avatarposer"): ("mpjpe_cm", "mpjve_cm_s", "jitter_100m_s3", "mpjre_deg"),
    ("sage", "avatarposer_normalised"): ("mpjpe_cm", "mpjve_cm_s", "jitter_100m_s3", "mpjre_deg"),
    ("causal", "sage"): ("mpjpe_cm", "mpjve_cm_s", "jitter_100m_s3"),
}
"""Models whose quotient is told, of which figures."""
PAPER_COLUMNS = ("MPJRE", "MPJPE", "MPJVE", "hand", "upper", "lower", "jitter")
PAPER = {
    "AvatarPoser (ECCV 2022)": (3.08, 4.18, 27.70, 2.12, 1.81, 7.59, 14.49),
    "AvatarJLM (ICCV 2023)": (2.90, 3.35, 20.79, 1.24, 1.72, 6.20, 8.39),
    "SAGE (CVPR 2024)": (2.53, 3.28, 20.62, 1.18, 1.39, 6.01, 6.55),
    "HMD-Poser (CVPR 2024)": (2.32, 3.15, 18.15, 1.35, 1.34, 5.76, 6.21),
    "KineST (AAAI 2026)": (2.25, 2.86, 15.26, 1.04, 1.24, 5.20, 5.97),
}
"""AMASS, setting 1, units as here. Source: second hand, a note on arXiv:2512.16791 (KineST); not checked at the papers."""


def flat(means: Means, floors: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """``{split}_{model}_{figure}``, truth's own once per split, quotients ``{split}_{a}_{b}_{figure}_ratio`` without
    the unit, and ``{split}_floor_{model}_{figure}``; figures that do not exist are left out."""
    found = {
        f"{split}_{name}_{key}": mean[key] for (split, name), mean in means.items() for key in (*METRICS, *FURTHER)
    }
    for (split, _), mean in means.items():
        found |= {f"{split}_truth_{key}": mean[f"truth_{key}"] for key in OF_TRUTH}
    found |= ratios(means)
    for split, of_split in floors.items():
        found |= {
            f"{split}_floor_{name}_{part}": x for name, parts in of_split.items() for part, x in parts.items()
        }
    return {key: round(value, 4) for key, value in found.items() if math.isfinite(value)}


def ratios(means: Means) -> dict[str, float]:
    """Quotients of RATIOS for each split that has both models."""
    found = {}
    for split in dict.fromkeys(split for split, _ in means):
        for (one, other), keys in RATIOS.items():
            if (split, one) in means and (split, other) in means:
                mine, theirs = means[split, one], means[split, other]
                found |= {
                    f"{split}_{one}_{other}_{key.split('_')[0]}_ratio": mine[key] / theirs[key] for key in keys
                }
    return found


def table(means: Means, floors: Mapping, references: Mapping) -> str:
    """All splits below each other: a row for each model and one for the truth, a column for each figure; floors beside.

    ``floors`` and ``references``: split -> baseline -> figure in cm, ours with ``mpjpe_cm`` among PARTS, others' alone.
    """
    lines = []
    for split in dict.fromkeys(split for split, _ in means):
        names = [name for of, name in means if of == split]
        wide = max(len(name) for name in names) + 1
        lines += ["", SPLIT_WORDS.get(split, split), *_header(wide)]
        lines.append(_line("truth", wide, _own(means[split, names[0]])))
        for name in names:
            beside = _beside(name, floors.get(split, {}), references.get(split, {}))
            lines.append(_line(name, wide, [means[split, name][key] for key in METRICS]) + beside)
    return "\n".join(lines[1:])


def _header(wide: int) -> list[str]:
    heads = [*(HEADS[key] for key in METRICS), ("floor", "here", "cm"), ("floor", "ref.", "cm")]
    return [" " * wide + "".join(f"{head[k]:>{WIDTH}}" for head in heads) for k in range(3)]


def _own(mean: Mapping[str, float]) -> list[float]:
    """The truth's row: its jitter, skating and depth; no error."""
    return [mean[f"truth_{key}"] if key in OF_TRUTH else math.nan for key in METRICS]


def _line(name: str, wide: int, values: Iterable[float]) -> str:
    cells = ("" if math.isnan(value) else f"{value:.{1 if value >= 100 else 2}f}" for value in values)
    return f"{name:{wide}s}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _beside(name: str, ours: Mapping, theirs: Mapping) -> str:
    if name not in ours:
        return ""
    reference = f"{theirs[name]:.2f}" if name in theirs else ""
    return f"{ours[name]['mpjpe_cm']:{WIDTH}.2f}{reference:>{WIDTH}}"


def paper_table() -> str:
    """PAPER as text."""
    lines = [f"{'':26s}" + "".join(f"{column:>9s}" for column in PAPER_COLUMNS)]
    lines += [f"{name:26s}" + "".join(f"{value:9.2f}" for value in row) for name, row in PAPER.items()]
    return "\n".join(lines)
