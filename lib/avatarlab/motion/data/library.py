"""``Library``: many clean segments of motion on one skeleton at 60 Hz, and who learns from which of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, write_npz
from avatarlab.core.shapes import expect

SCHEMA = "avatarlab.library/1"
FREE = "CMU motion data: free for all uses, not to be resold as data (mocap.cs.cmu.edu); weights and code: see LICENSE."
SHARE_ALIKE = (
    "Learned from HDM05 too, which is CC BY-SA 3.0 (Mueller et al., report CG-2007-2): pass on alike, name it. "
)
RESTS_ON = ("body", "skeleton")
"""Bases of the body file (``Body.bases``) on whose mean shape motion lies; the header has their sha256."""
HELD_OUT = ("CMU14", "CMU03", "CMU86", "HDM_tr")
"""Subjects of whom nothing is learned in the split `heldout`."""
SPLITS = ("heldout", "random", "cross")
RANDOM_PERCENT = 10
SALT = b"random "
"""With it a tenth of the clips of ../shared's motion are a tenth of its frames too."""


@dataclass(frozen=True)
class Library:
    """Segments one after the other: poses (N, 22, 3) axis-angle rad, local, z-up world; trans (N, 3) m; 60 Hz.

    starts (S + 1,) frame numbers; clips, subjects, sources: S names each. ``rest`` (22, 3) m is the skeleton at rest
    on which the motion lies; ``header`` says rate, licences, body and how it was made.
    """

    poses: np.ndarray
    trans: np.ndarray
    starts: np.ndarray
    clips: tuple[str, ...]
    subjects: tuple[str, ...]
    sources: tuple[str, ...]
    rest: np.ndarray
    header: dict

    def __post_init__(self):
        expect("poses", self.poses, ("N", 22, 3))
        expect("trans", self.trans, ("N", 3), N=len(self.poses))
        expect("starts", self.starts, ("S",), S=len(self.clips) + 1)
        expect("rest", self.rest, (22, 3))

    def __len__(self) -> int:
        return len(self.clips)

    def frames(self, segment: int) -> slice:
        """Where a segment lies in poses and trans."""
        return slice(int(self.starts[segment]), int(self.starts[segment + 1]))

    def length(self, segments: Sequence[int]) -> int:
        """Frames of some segments together."""
        return int(sum(self.starts[k + 1] - self.starts[k] for k in segments))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits there are: the lab's three, or `paper` alone where the header lists its test clips."""
        return ("paper",) if "test_clips" in self.header else SPLITS

    def split(self, name: str) -> tuple[list[int], list[int]]:
        """Segment numbers (train, test) of a split; of `common` those that all splits train on, and no test."""
        tests = {split: {k for k in range(len(self)) if self._tested(split, k)} for split in self.splits}
        if name == "common":
            return [k for k in range(len(self)) if not any(k in test for test in tests.values())], []
        if name not in tests:
            raise InputError(f"split: got {name!r}, expected one of {', '.join((*self.splits, 'common'))}.")
        return [k for k in range(len(self)) if k not in tests[name]], sorted(tests[name])

    def origin(self, segments: Sequence[int], split: str) -> dict:
        """What the card of weights that learned from ``segments`` says of them: data, frames by source, licence, split."""
        by_source = {name: [k for k in segments if self.sources[k] == name] for name in sorted({*self.sources})}
        by_source = {name: mine for name, mine in by_source.items() if mine}
        counts = ", ".join(f"{len(mine)} of {source}" for source, mine in by_source.items())
        minutes = self.length(segments) / 60 / 60
        shared = any("hdm05" in source.lower() for source in by_source)
        return {
            "data": f"{minutes:.1f} min of motion at 60 Hz, {len(segments)} segments ({counts}); split {split}, its train side.",
            "frames": {source: self.length(mine) for source, mine in by_source.items()},
            "licence": (SHARE_ALIKE if shared else "") + FREE,
            "split": split,
        }

    def _tested(self, split: str, k: int) -> bool:
        if split == "paper":
            return self.clips[k] in self.header["test_clips"]
        if split == "heldout":
            return self.subjects[k] in self.header["held_out"]
        if split == "cross":
            return self.sources[k] in self.header["cross_sources"]
        return hundredth(self.clips[k]) < RANDOM_PERCENT

    def save(self, path: str | Path) -> None:
        """Write as npz with a JSON header."""
        arrays = {
            "poses": self.poses.astype(np.float32), "trans": self.trans.astype(np.float32),
            "starts": self.starts.astype(np.int64), "clips": np.array(self.clips),
            "subjects": np.array(self.subjects), "sources": np.array(self.sources), "rest": self.rest,
        }  # fmt: skip
        write_npz(path, arrays, {**self.header, "schema": SCHEMA})

    @classmethod
    def load(cls, path: str | Path) -> "Library":
        """Read what ``save`` wrote; anything else raises InputError."""
        arrays, header = read_npz(path)
        if header.pop("schema", None) != SCHEMA:
            raise InputError(f"{path}: no library of motion ({SCHEMA}); stage 12_motion makes one.")
        names = {key: tuple(str(x) for x in arrays.pop(key)) for key in ("clips", "subjects", "sources")}
        return cls(**arrays, **names, header=header)


def weights_name(model: str, split: str) -> str:
    """The weights file of a model (without ending) that learned nothing of a split's test segments."""
    return f"motion_{model}_{split}"


def hundredth(clip: str) -> int:
    """A number from 0 to 99 that a clip's name alone decides, so that all its segments fall on one side."""
    return int.from_bytes(hashlib.sha256(SALT + clip.encode()).digest()[:4], "big") % 100
