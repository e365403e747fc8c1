"""The settings of the paper on AMASS, which the user has: a Library of each that the lab's stages train and score on.

    python -m avatarlab.motion.paper AMASS 1 --splits SPLITS --out data/motion/paper1.npz

AMASS is the folder of unpacked subsets (ACCAD, CMU, BMLrub, ...; "SMPL+H G" or SMPL-X npz). Setting 1: three subsets
by AvatarPoser's lists (SPLITS: the folder of <subset>_train.txt and <subset>_test.txt, in SAGE's and AvatarPoser's
repositories). Setting 2: twelve subsets, tested on HumanEva and Transitions. Setting 3: 90 % of all clips, drawn with
seed 0, tested on the rest (the paper drew from its own numbering of files, which is not to be had).
Everybody has the mean shape, nothing is normalised, and 60 frames a second come by taking every round(rate / 60)th
frame, as in the paper (100 Hz takes so run slow; --resample does it right). Sources: SAGE's prepare_data and loader (facts).
"""

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab.body import Body
from avatarlab.errors import InputError
from avatarlab.lab.parallel import outcomes
from avatarlab.motion.clip import Clip
from avatarlab.motion.library import Library
from avatarlab.motion.skeleton import COUNT, Skeleton
from avatarlab.motion.trackers import RATE

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
SHORTEST, WINDOW = 5, 20
"""Frames a clip needs at least; features of a training clip (one less than its frames)."""


@dataclass(frozen=True)
class Entry:
    """A clip of AMASS: its subset, the path below AMASS, and on which side it is."""

    subset: str
    path: str
    test: bool

    @property
    def subject(self) -> str:
        """Subset and the folder below it."""
        return "/".join([self.subset, *Path(self.path).parts[1:2]])


@dataclass(frozen=True)
class Given:
    """Where AMASS is, and whether its rates are resampled instead of thinned out."""

    amass: Path
    resample: bool


def entries(setting: int, amass: str | Path, splits: str | Path | None = None) -> list[Entry]:
    """Clips (train first) of a setting of the paper, as the folder ``amass`` and, for setting 1, the lists have them."""
    amass = Path(amass)
    if not amass.is_dir():
        raise InputError(f"{amass}: no such folder; give the one with AMASS's subsets (CMU, BMLrub, ...) in it.")
    if setting == 1:
        return _listed(amass, splits)
    if setting == 2:
        sides = ((subset, subset in TESTED) for subset in (*TRAINED, *TESTED))
        return [Entry(subset, path, test) for subset, test in sides for path in _clips(amass, subset)]
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


def _listed(amass: Path, splits: str | Path | None) -> list[Entry]:
    if splits is None:
        raise InputError(
            "splits: setting 1 needs the folder of AvatarPoser's lists (CMU_train.txt, CMU_test.txt, ...)."
        )
    sides = [(subset, side) for side in ("train", "test") for subset in LISTED]
    return [
        Entry(subset, path, side == "test") for subset, side in sides for path in _list(amass, Path(splits), subset, side)
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


def _drawn(found: Sequence[tuple[str, str]]) -> list[Entry]:
    """90 % at random, seed 0, in the order drawn, then the rest."""
    chosen = random.Random(SEED).sample(range(len(found)), len(found) * TRAIN_PERCENT // 100)
    rest = sorted(set(range(len(found))) - set(chosen))
    return [Entry(*found[k], test) for side, test in ((chosen, False), (rest, True)) for k in side]


def strided(clip: Clip) -> Clip:
    """Every round(rate / 60)th frame, taken to be 60 Hz, as the paper does it."""
    step = max(1, round(clip.mocap_frame_rate / RATE))
    return Clip(clip.poses[::step], clip.trans[::step], clip.betas, clip.gender, RATE)


def read_entry(given: Given, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """poses (T, 22, 3) rad, trans (T, 3) m at 60 Hz of a clip; one that is unreadable or too short raises InputError."""
    clip = Clip.load(given.amass / entry.path)
    clip = clip.resampled(RATE) if given.resample else strided(clip)
    shortest = SHORTEST if entry.test else WINDOW + 1
    if len(clip) < shortest:
        raise InputError(f"{entry.path}: {len(clip)} frames at 60 Hz, {shortest} are needed.")
    return clip.poses[:, : 3 * COUNT].reshape(-1, COUNT, 3), clip.trans


def build(
    setting: int,
    amass: str | Path,
    splits: str | Path | None = None,
    body_file: str | Path | None = None,
    resample: bool = False,
    workers: int | None = None,
    tell=print,
) -> Library:
    """The Library of a setting on the mean shape of ``body_file``; header: test_clips, setting, skipped clips and why."""
    jobs = entries(setting, amass, splits)
    kept, skipped = [], []
    for outcome in outcomes(read_entry, jobs, workers, Given, (Path(amass), resample)):
        entry = jobs[outcome.number]
        if outcome.error:
            skipped.append([entry.path, outcome.error])
        else:
            kept.append((entry, *outcome.result))
        if outcome.done % 500 == 0 or outcome.done == outcome.total:
            tell(f"{outcome.done} of {outcome.total} clips, {outcome.seconds_left:.0f} s left")
    for side in (False, True):
        if not any(entry.test == side for entry, *_ in kept):
            raise InputError(
                f"{amass}: no clip to {'test on' if side else 'learn from'} is left of setting {setting}."
            )
    return _library(kept, {"setting": setting, "resampled": resample, "skipped": skipped}, body_file)


def _library(kept, about: dict, body_file: str | Path | None) -> Library:
    body = Body.load(body_file)
    listed = [entry for entry, *_ in kept]
    sizes = [len(trans) for *_, trans in kept]
    header = {
        **{"rate": RATE, "body_sha256": body.sha256, "held_out": [], "cross_sources": []},
        "test_clips": [entry.path for entry in listed if entry.test],
        "licences": {
            subset: "AMASS: research only, see its licence" for subset in sorted({e.subset for e in listed})
        },
        **about,
    }
    return Library(
        poses=np.concatenate([poses for _, poses, _ in kept]),
        trans=np.concatenate([trans for *_, trans in kept]),
        starts=np.cumsum([0, *sizes]),
        clips=tuple(entry.path for entry in listed),
        subjects=tuple(entry.subject for entry in listed),
        sources=tuple(entry.subset for entry in listed),
        rest=Skeleton.of(body).rest.numpy(),
        header=header,
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m avatarlab.motion.paper", description=__doc__, formatter_class=form
    )
    parser.add_argument("amass", metavar="AMASS", type=Path, help="the folder of AMASS's unpacked subsets")
    parser.add_argument("setting", metavar="SETTING", type=int, choices=(1, 2, 3), help="1, 2 or 3")
    parser.add_argument("--splits", type=Path, help="the folder of AvatarPoser's lists (setting 1)")
    parser.add_argument("--out", type=Path, required=True, help="the npz to write")
    parser.add_argument("--body", type=Path, help="body file (default: as everywhere in the lab)")
    parser.add_argument("--resample", action="store_true", help="resample to 60 Hz instead of thinning out")
    parser.add_argument("--workers", type=int, help="processes (default: one per core; 0 works in this one)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 written, 2 refused."""
    given = arguments().parse_args(argv)
    try:
        library = build(given.setting, given.amass, given.splits, given.body, given.resample, given.workers, _say)
        library.save(given.out)
    except (InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _say(_sum(library, given.out))
    return 0


def _sum(library: Library, out: Path) -> str:
    """What was made, in a line."""
    tests = set(library.header["test_clips"])
    hours = len(library.poses) / RATE / 3600
    trained, skipped = len(library) - len(tests), len(library.header["skipped"])
    return f"{out}: {trained} clips to learn from, {len(tests)} to test on, {hours:.2f} h; {skipped} skipped."


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
