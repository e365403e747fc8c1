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
import sys
from collections.abc import Sequence
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.motion.data.library import Library
from avatarlab.motion.paper.building import build
from avatarlab.motion.trackers import RATE


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
