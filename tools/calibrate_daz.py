"""Find the constant turns between the Daz-friendly BVH of CMU's motions and the ASF/AMC they were made from.

    python tools/calibrate_daz.py <folder with 02_01.bvh ...> <folder with 02.asf, 02_01.amc ...>

Writes lib/avatarlab/motion/retarget/daz.json. The committed one is of the ten takes of subject 02 (everyday motion; of
no split's test people): the AMC of ../shared/data/mocap/cmu_asfamc.tar.xz, and the BVH of
github AtelierCircle/CMU-MoCap-01-09 @9ee8be12cd5ef9f8fcc575f6bf1cc4308669a890, folder 02. Takes of 01 and 03 in the
same two forms, where both folders hold them, are only compared.
"""

import sys
from pathlib import Path

import numpy as np

from avatarlab.body import Body
from avatarlab.core.files import write_json
from avatarlab.motion.data.retarget.retarget import driven, recorded_bones, retarget
from avatarlab.motion.data.retarget.tables import ASF, DAZ_FILE, DAZ_JOINTS, Table
from avatarlab.motion.formats import asf, bvh
from avatarlab.motion.skeleton import MIRRORED, NAMES, Skeleton

SUBJECT = "02"
BLEND = 4
"""Frames at the start of a BVH that still come from its T-pose; its frame k + 1 is the AMC's frame k."""
FLIP = np.array([-1.0, 1.0, 1.0])


def pairs(daz: Path, cmu: Path):
    """(name, BVH, AMC) of every take that both folders hold, by name."""
    for path in sorted(daz.rglob("*.bvh")):
        amc = cmu / f"{path.stem}.amc"
        if amc.exists():
            yield path.stem, bvh.read(path), asf.read(cmu / f"{path.stem[:2]}.asf", amc)


def between(taken, true) -> np.ndarray:
    """Turns (T, 22, 3, 3) that follow the BVH's so that the AMC's come out, and the same left for right."""
    theirs, ours = driven(taken, Table(DAZ_JOINTS))[BLEND + 1 :], driven(true, ASF)[BLEND:]
    count = min(len(theirs), len(ours))
    rotations = np.swapaxes(theirs[:count], -1, -2) @ ours[:count]
    return np.concatenate([rotations, (rotations * FLIP[:, None] * FLIP)[:, list(MIRRORED)]])


def mean(rotations: np.ndarray, keep: float = 80.0) -> tuple[np.ndarray, np.ndarray]:
    """Turns (N, 3, 3) -> the middle (3, 3) of the ``keep`` percent nearest to it, and all angles to it (N,) deg."""
    chosen = np.ones(len(rotations), bool)
    for _ in range(5):
        left, _, right = np.linalg.svd(rotations[chosen].sum(0))
        middle = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
        trace = np.einsum("nij,ij->n", rotations, middle)
        angle = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
        chosen = angle <= np.percentile(angle, keep)
    return middle, angle


def compared(skeleton: Skeleton, taken, true) -> float:
    """Mean distance (cm) of the joints from the pelvis between the two forms of a take, on our skeleton."""
    ours, theirs = retarget(taken, skeleton), retarget(true, skeleton)
    a, b = skeleton.fk(*ours)[1][1:], skeleton.fk(*theirs)[1][BLEND:]
    count = min(len(a), len(b))
    a, b = a[:count] - a[:count, :1], b[:count] - b[:count, :1]
    return 100 * float((a - b).norm(dim=-1).mean())


def main(daz: str, cmu: str) -> None:
    """Fit, write, compare."""
    takes = list(pairs(Path(daz), Path(cmu)))
    mine = [(taken, true) for name, taken, true in takes if name.startswith(SUBJECT + "_")]
    rotations = np.concatenate([between(*pair) for pair in mine])
    found = {name: mean(rotations[:, joint]) for joint, name in enumerate(NAMES)}
    bones = {name: bone / np.linalg.norm(bone) for name, bone in recorded_bones(mine[0][1], ASF).items()}
    content = {
        "from": __doc__.split("\n\n")[2].replace("\n", " "),
        "offsets": {name: middle.round(6).tolist() for name, (middle, _) in found.items()},
        "bones": {name: bone.round(6).tolist() for name, bone in bones.items()},
        "median_residual_deg": {name: round(float(np.median(angle)), 2) for name, (_, angle) in found.items()},
    }
    write_json(DAZ_FILE, content)
    skeleton = Skeleton.of(Body.load())
    for name, taken, true in takes:
        print(f"{name}: {compared(skeleton, taken, true):.2f} cm")


if __name__ == "__main__":
    main(*sys.argv[1:])
