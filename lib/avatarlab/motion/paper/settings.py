"""Which clips of AMASS are on which side in the paper's settings 1, 2 and 3. Source: SAGE's loader and lists (facts)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatarlab.core.errors import InputError

SUBSETS = {
    **{"ACCAD": (), "BMLmovi": (), "BMLrub": ("BioMotionLab_NTroje",), "CMU": (), "EKUT": ()},
    **{"EyesJapanDataset": ("Eyes_Japan_Dataset",), "HDM05": ("MPI_HDM05",), "HumanEva": (), "KIT": ()},
    **{"PosePrior": ("MPI_Limits",), "MoSh": ("MPI_mosh",), "SFU": (), "TotalCapture": ()},
    "Transitions": ("Transitions_mocap",),
}
"""Subsets of AMASS by the folder of today's download -> names that older ones and the lists use."""
LISTED = ("CMU", "BMLrub", "HDM05")
"""Subsets of setting 1."""
TESTED = ("HumanEva", "Transitions")
"""Subsets that setting 2 tests on."""
TRAINED = ("CMU", "BMLrub", "HDM05", "ACCAD", "BMLmovi", "EKUT", "EyesJapanDataset", "KIT", "PosePrior", "MoSh", "SFU", "TotalCapture")  # fmt: skip
"""Subsets that setting 2 trains on."""
TRAIN_PERCENT, SEED = 90, 0


@dataclass(frozen=True)
class AmassClip:
    """A clip of AMASS: its subset, the path below AMASS, and on which side it is."""

    subset: str
    path: str
    test: bool

    @property
    def subject(self) -> str:
        """Subset and the folder below it."""
        return "/".join([self.subset, *Path(self.path).parts[1:2]])


def entries(setting: int, amass: str | Path, splits: str | Path | None = None) -> list[AmassClip]:
    """Clips (train first) of a setting of the paper, as the folder ``amass`` and, for setting 1, the lists have them."""
    amass = Path(amass)
    if not amass.is_dir():
        raise InputError(f"{amass}: no such folder; give the one with AMASS's subsets (CMU, BMLrub, ...) in it.")
    if setting == 1:
        return _listed(amass, splits)
    if setting == 2:
        sides = ((subset, subset in TESTED) for subset in (*TRAINED, *TESTED))
        return [AmassClip(subset, path, test) for subset, test in sides for path in _clips(amass, subset)]
    if setting == 3:
        return _drawn([(subset, path) for subset in SUBSETS for path in _clips(amass, subset)])
    raise InputError(f"setting: got {setting!r}, expected 1, 2 or 3.")


def folder_of(amass: Path, subset: str) -> str:
    """The name of a subset's folder in ``amass``; InputError if there is none."""
    for name in (subset, *SUBSETS[subset]):
        if (amass / name).is_dir():
            return name
    raise InputError(
        f"{amass}: has no folder {' or '.join((subset, *SUBSETS[subset]))}; download that subset of AMASS."
    )


def _clips(amass: Path, subset: str) -> list[str]:
    """Paths below ``amass`` of a subset's clips, in order; files of a body's shape alone are none."""
    found = sorted(
        path.relative_to(amass).as_posix() for path in (amass / folder_of(amass, subset)).rglob("*.npz")
    )
    return [path for path in found if not Path(path).name.endswith("shape.npz")]


def _listed(amass: Path, splits: str | Path | None) -> list[AmassClip]:
    if splits is None:
        raise InputError(
            "splits: setting 1 needs the folder of AvatarPoser's lists (CMU_train.txt, CMU_test.txt, ...)."
        )
    sides = [(subset, side) for side in ("train", "test") for subset in LISTED]
    return [
        AmassClip(subset, path, side == "test") for subset, side in sides for path in _list(amass, Path(splits), subset, side)
    ]  # fmt: skip


def _list(amass: Path, splits: Path, subset: str, side: str) -> list[str]:
    """Paths below ``amass`` that a list names, whatever the folder and the files' last word are called today."""
    names = (subset, *SUBSETS[subset])
    file = next(
        (splits / f"{name}_{side}.txt" for name in names if (splits / f"{name}_{side}.txt").is_file()), None
    )
    file = file or next((p for n in names if (p := splits / n / f"{side}_split.txt").is_file()), None)
    if file is None:
        raise InputError(f"{splits}: has no {names[-1]}_{side}.txt (nor {names[-1]}/{side}_split.txt).")
    here = {_key(path): path for path in _clips(amass, subset)}
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if odd := [line for line in lines if not set(Path(line).parts) & set(names)]:
        raise InputError(f"{file}: got {odd[0]!r}, expected paths below {names[-1]}.")
    found = [here[_key(line)] for line in lines if _key(line) in here]
    if not found:
        raise InputError(
            f"{amass}: none of the {len(lines)} clips of {file.name} is in {folder_of(amass, subset)}."
        )
    return list(dict.fromkeys(found))


def _key(path: str) -> str:
    """What of a clip's path stays the same over AMASS's releases: subject and take."""
    *_, subject, name = Path(path.replace("\\", "/")).parts
    return f"{subject}/{name.removesuffix('.npz').removesuffix('_poses').removesuffix('_stageii')}"


def _drawn(found: Sequence[tuple[str, str]]) -> list[AmassClip]:
    """90 % at random, seed 0, in the order drawn, then the rest."""
    chosen = random.Random(SEED).sample(range(len(found)), len(found) * TRAIN_PERCENT // 100)
    rest = sorted(set(range(len(found))) - set(chosen))
    return [AmassClip(*found[k], test) for side, test in ((chosen, False), (rest, True)) for k in side]
