"""``clip.bvh``: a person's motion as BVH, which every animation program reads: centimetres, y up, degrees.

The rest pose is the T-pose. The root has no OFFSET: its place channels say where it is. Rotation channels are Z, X, Y
(R = Rz Rx Ry); angles run on over 180 degrees instead of jumping, so programs may interpolate them.
"""

from pathlib import Path

import numpy as np
import torch

from avatarlab.core.files import whole
from avatarlab.export.posed_clip import PosedClip, pose_clip
from avatarlab.motion.clip import Clip
from avatarlab.motion.skeleton import COUNT

CM = 100.0
ENDS = {
    "head": "HEAD_TOP",
    **{"left_foot": "LBigToe", "right_foot": "RBigToe"},
    **{"left_wrist": "left_middle1", "right_wrist": "right_middle1"},
    **{f"{side}_{finger}3": f"{side[0]}{finger}" for side in ("left", "right") for finger in
       ("index", "middle", "pinky", "ring", "thumb")},
}  # fmt: skip
"""Joint without children -> the landmark or joint at which its bone ends; others go on half as far as their parent's."""


def write_bvh(path: str | Path, body, person, clip: Clip) -> dict[str, int]:
    """Write ``person`` moving as ``clip`` at the clip's rate; returns ``joints`` and ``frames``. Equal inputs, equal bytes.

    The 22 joints of the body are always there; fingers, jaw and eyes only where they are turned.
    """
    acted = pose_clip(body, person, clip)
    kept = _kept(acted, np.asarray(body.parents))
    lines = ["HIERARCHY", *_hierarchy(body, acted, kept), "MOTION"]
    lines += [f"Frames: {len(acted)}", f"Frame Time: {1 / acted.rate:.8f}", *_frames(acted, kept)]
    with whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return {"joints": len(kept), "frames": len(acted)}


def angles_zxy(rotations: np.ndarray) -> np.ndarray:
    """Rotations (T, J, 3, 3) = Rz(a) Rx(b) Ry(c) -> angles (T, J, 3) in radians: a, b, c, running on without jumps.

    Of the two triples of angles that make one rotation the one nearer to the frame before is taken; where b is a
    quarter turn, only a + c or a - c is known, and c is zero.
    """
    sine = np.clip(rotations[..., 2, 1], -1, 1)
    locked = 1 - np.abs(sine) < 1e-10
    a = np.where(
        locked,
        np.arctan2(rotations[..., 1, 0], rotations[..., 0, 0]),
        np.arctan2(-rotations[..., 0, 1], rotations[..., 1, 1]),
    )
    c = np.where(locked, 0.0, np.arctan2(-rotations[..., 2, 0], rotations[..., 2, 2]))
    plain = np.stack([a, np.arcsin(sine), c], -1)
    other = plain * [1, -1, 1] + np.pi
    for t in range(1, len(plain)):
        before = plain[t - 1]
        near, far = (x[t] - 2 * np.pi * np.round((x[t] - before) / (2 * np.pi)) for x in (plain, other))
        better = np.abs(near - before).sum(-1) <= np.abs(far - before).sum(-1)
        plain[t] = np.where(better[:, None], near, far)
    return plain


def _kept(acted: PosedClip, parents: np.ndarray) -> list[int]:
    """The joints in the file, each parent right before its first child, as the text has them."""
    turned = (acted.rotations - torch.eye(3)).abs().amax((0, 2, 3)).numpy() > 1e-6
    expected = turned | (np.arange(len(parents)) < COUNT)
    for joint in range(len(parents) - 1, 0, -1):
        expected[parents[joint]] |= expected[joint]

    def below(joint: int) -> list[int]:
        children = [int(k) for k in np.flatnonzero(parents == joint) if expected[k]]
        return [joint, *(k for child in children for k in below(child))]

    return below(0)


def _hierarchy(body, acted: PosedClip, kept: list[int]) -> list[str]:
    """The lines from ROOT to the last brace."""
    parents, rest, names = np.asarray(body.parents), acted.rest.double().numpy(), body.joint_names
    ends = _ends(body, acted)

    def lines(joint: int) -> list[str]:
        children, root = [k for k in kept if parents[k] == joint], parents[joint] < 0
        offset = np.zeros(3) if root else rest[joint] - rest[parents[joint]]
        below = [line for child in children for line in lines(child)]
        return [
            f"{'ROOT' if root else 'JOINT'} {names[joint]}",
            "{",
            f"OFFSET {_numbers(CM * offset)}",
            f"CHANNELS {'6 Xposition Yposition Zposition' if root else '3'} Zrotation Xrotation Yrotation",
            *(below or ["End Site", "{", f"OFFSET {_numbers(CM * ends[joint])}", "}"]),
            "}",
        ]

    return _indented(lines(0))


def _indented(lines: list[str]) -> list[str]:
    """Lines with one tab for each open brace."""
    depth, done = 0, []
    for line in lines:
        depth -= line == "}"
        done.append("\t" * depth + line)
        depth += line == "{"
    return done


def _ends(body, acted: PosedClip) -> np.ndarray:
    """From each joint to the end of its bone at rest (55, 3) m, for those without children in the file."""
    rest = acted.rest.double().numpy()
    parents = np.asarray(body.parents)
    ends = (rest - rest[np.maximum(parents, 0)]) / 2
    with torch.no_grad():
        skin = body(betas=acted.betas).vertices.double().numpy()
    points = {name: skin[k] for name, k in getattr(body, "landmarks", {}).items()}
    points |= dict(zip(body.joint_names, rest, strict=True))
    for joint, name in enumerate(body.joint_names):
        if ENDS.get(name) in points:
            ends[joint] = points[ENDS[name]] - rest[joint]
    return ends


def _frames(acted: PosedClip, kept: list[int]) -> list[str]:
    """One line a frame: the root's place in cm, then three angles a joint in degrees."""
    angles = np.degrees(angles_zxy(acted.rotations[:, kept].double().numpy()))
    rows = np.concatenate([CM * acted.pelvis.double().numpy(), angles.reshape(len(angles), -1)], 1)
    return [_numbers(row) for row in rows]


def _numbers(row: np.ndarray) -> str:
    """Numbers with five decimals, minus zero as zero."""
    return " ".join(f"{x:.5f}" for x in np.round(row, 5) + 0.0)
