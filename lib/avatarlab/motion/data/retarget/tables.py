"""Which joint of a recording drives which of our 22, for each form of skeleton that free recordings come in.

Source: the joints' names as the files of the CMU and HDM05 databases have them, compared with SMPL's 22 joints.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.skeleton import NAMES

DAZ_FILE = Path(__file__).with_name("daz.json")
"""Written by tools/calibrate_daz.py, which says from what."""

SPINE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar")
"""Joints whose rotation is taken as it is: at rest, both skeletons stand upright."""


@dataclass(frozen=True)
class Table:
    """Our joint -> the recording's joint, or two of them in whose middle it turns.

    ``bones``: our joint -> direction (3,) of its bone at the recording's rest, where the recording's own is not to be
    trusted; ``offsets``: our joint -> rotation (3, 3) that the recording's is followed by; ``drop``: frames of a
    T-pose at the start.
    """

    joints: dict[str, tuple[str, ...]]
    drop: int = 0
    offsets: dict[str, np.ndarray] = field(default_factory=dict)
    bones: dict[str, np.ndarray] = field(default_factory=dict)


def _sided(middle: dict[str, str], sided: dict[str, str], letters: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """Names of the middle, and of both sides with {} where the side's letter stands."""
    found = {ours: tuple(theirs.split()) for ours, theirs in middle.items()}
    for side, letter in zip(("left", "right"), letters, strict=True):
        found |= {f"{side}_{ours}": (theirs.format(letter),) for ours, theirs in sided.items()}
    return {name: found[name] for name in NAMES}


ASF_JOINTS = _sided(
    {
        "pelvis": "root", "spine1": "lowerback", "spine2": "upperback", "spine3": "thorax",
        "neck": "lowerneck", "head": "head",
    },
    {
        "hip": "{}femur", "knee": "{}tibia", "ankle": "{}foot", "foot": "{}toes",
        "collar": "{}clavicle", "shoulder": "{}humerus", "elbow": "{}radius", "wrist": "{}hand",
    },
    ("l", "r"),
)  # fmt: skip
"""``hand`` holds the twist of the forearm's second half."""
DAZ_JOINTS = _sided(
    {
        "pelvis": "hip", "spine1": "hip abdomen", "spine2": "abdomen", "spine3": "chest",
        "neck": "neck", "head": "head",
    },
    {
        "hip": "{}Thigh", "knee": "{}Shin", "ankle": "{}Foot", "foot": "{}Foot",
        "collar": "{}Collar", "shoulder": "{}Shldr", "elbow": "{}ForeArm", "wrist": "{}Hand",
    },
    ("l", "r"),
)  # fmt: skip
"""The Daz-friendly BVH of the CMU motions has no toes and one joint less in the spine; its hands do not bend.

Its abdomen turns as the ASF's upperback to 0.5 degrees; the lower back is best said by the middle of hip and abdomen.
"""


@cache
def daz() -> Table:
    """The table of Daz BVH with the constant offsets that DAZ_FILE holds."""
    found = json.loads(DAZ_FILE.read_text(encoding="utf-8"))
    offsets = {name: np.array(rows) for name, rows in found["offsets"].items()}
    bones = {name: np.array(row) for name, row in found["bones"].items()}
    return Table(DAZ_JOINTS, drop=4, offsets=offsets, bones=bones)


ASF = Table(ASF_JOINTS)


def table_for(recording: Recording) -> Table:
    """The table that a recording's form and joints call for; a skeleton nobody has a table for raises InputError."""
    table = {"asf": ASF, "expmap": ASF, "daz": daz()}.get(recording.form)
    needed = {name for used in table.joints.values() for name in used} if table else set()
    if table is None or not needed <= {*recording.names}:
        raise InputError(
            f"skeleton: got joints {', '.join(recording.names[:6])} ..., expected those of CMU's and HDM05's ASF files "
            "or of the Daz-friendly BVH; others need a table in motion/data/retarget/tables.py."
        )
    return table
