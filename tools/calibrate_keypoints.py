"""Fit lib/avatarlab/photo/keypoints.json: what MediaPipe's keypoints are on the body, from rendered people.

    python tools/calibrate_keypoints.py [people]      about 2 s a person; prints the error before and after, in mm

Left and right are pooled by mirroring. Shares are pulled towards the anatomical guess (the first candidate).
"""

import sys

import numpy as np
import torch

from avatarlab.body import Body
from avatarlab.body.layout import JOINT
from avatarlab.core.files import write_json
from avatarlab.photo import detectors
from avatarlab.photo.keypoints import TABLE
from avatarlab.synthetic import rendered

J = "joint:"
FACE = {0: ("nose", "leye", "reye", J + "head")}
LEFT = {
    **{k: ("leye", "reye", "nose", "lear") for k in (1, 2, 3)},
    7: ("lear", "rear", "leye", J + "head"),
    9: ("nose", J + "jaw", "leye", "reye", J + "head"),
    11: (J + "left_shoulder", J + "left_collar", J + "left_elbow", J + "neck", J + "right_shoulder"),
    13: (J + "left_elbow", J + "left_shoulder", J + "left_wrist"),
    15: (J + "left_wrist", J + "left_elbow", J + "left_middle1"),
    17: (J + "left_pinky1", "lpinky", J + "left_wrist"),
    19: (J + "left_index1", "lindex", J + "left_wrist"),
    21: (J + "left_thumb2", "lthumb", J + "left_wrist"),
    23: (J + "left_hip", J + "right_hip", J + "pelvis", J + "left_knee", J + "spine1"),
    25: (J + "left_knee", J + "left_hip", J + "left_ankle"),
    27: (J + "left_ankle", J + "left_knee", "LHeel", J + "left_foot"),
    29: ("LHeel", J + "left_ankle", "LBigToe"),
    31: ("LBigToe", "LSmallToe", J + "left_foot", "LHeel"),
}
RIGHT_OF = {1: 4, 2: 5, 3: 6, **{k: k + 1 for k in LEFT if k > 6}}
RIDGE_M = 0.02
TURNS_DEG = (0, 90, -90, 35, -35)


def mirrored(name: str) -> str:
    """The name of the same point on the other side."""
    bare = name.removeprefix(J)
    if bare in JOINT:
        for one, other in (("left_", "right_"), ("right_", "left_")):
            if bare.startswith(one):
                return J + other + bare.removeprefix(one)
        return name
    swap = {"l": "r", "r": "l", "L": "R", "R": "L"}
    return name if bare == "nose" else swap[bare[0]] + bare[1:]


def samples(body: Body, people: int):
    """Yield (named points px by name, px per metre, MediaPipe's keypoints (33, 3)) of every picture."""
    for seed in range(people):
        chance = np.random.default_rng(1000 + seed)
        betas = rendered.sample(body, ("male", "female")[seed % 2], 1000 + seed)
        look = rendered.colours(body, chance)
        for turn in (TURNS_DEG[0], TURNS_DEG[1 + seed % 4]):
            shot = rendered.shot(body, betas, look, np.radians(turn), chance, "calibration")
            found = detectors.pose(shot.photo.rgb)
            if found is None:
                continue
            with torch.no_grad():
                posed = body(betas=betas, pose=shot.pose)
            names = {J + n: posed.joints[k] for n, k in JOINT.items()}
            names |= {n: posed.vertices[k] for n, k in body.landmarks.items()}
            px, depth = shot.camera.project(torch.stack(list(names.values())))
            scale = float(shot.camera.K[0, 0] / depth.mean())
            yield dict(zip(names, px.numpy(), strict=True)), scale, found.keypoints


def fitted(rows: list, candidates: tuple[str, ...]) -> dict[str, float]:
    """Shares of the candidates that sum to 1: rows of (points (C, 2) m, target (2,) m)."""
    points = np.stack([p for p, _ in rows])
    target = np.stack([t for _, t in rows])
    base = (points[:, 1:] - points[:, :1]).transpose(0, 2, 1).reshape(-1, len(candidates) - 1)
    aim = (target - points[:, 0]).reshape(-1)
    weight = np.ones(len(aim))
    for _ in range(10):
        scaled = base * weight[:, None]
        ridge = np.eye(base.shape[1]) * (RIDGE_M**2) * len(rows) * 0.05
        shares = np.linalg.solve(scaled.T @ base + ridge, scaled.T @ aim)
        weight = 1 / (1 + ((base @ shares - aim) / 0.03) ** 2)
    return dict(zip(candidates, [round(float(1 - shares.sum()), 4), *np.round(shares, 4).tolist()], strict=True))


def error_mm(rows: list, shares) -> float:
    return 1000 * float(np.median([np.linalg.norm(np.asarray(shares) @ p - t) for p, t in rows]))


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    body = Body.load()
    seen = list(samples(body, people))
    table, lines = {}, []
    for number, candidates in {**FACE, **LEFT}.items():
        rows = []
        for side in (False, True):
            names = tuple(map(mirrored, candidates)) if side else candidates
            index = RIGHT_OF.get(number, number) if side else number
            for points, scale, keypoints in seen:
                if keypoints[index, 2] > 0.6:
                    rows.append((np.stack([points[n] for n in names]) / scale, keypoints[index, :2] / scale))
        shares = fitted(rows, candidates)
        plain = [1.0] + [0.0] * (len(candidates) - 1)
        before, after = error_mm(rows, plain), error_mm(rows, list(shares.values()))
        lines.append(f"{number:3d} {candidates[0]:24s} {before:6.1f} -> {after:5.1f} mm  ({len(rows)})")
        table[str(number)] = shares
        if number in RIGHT_OF:
            table[str(RIGHT_OF[number])] = {mirrored(n): s for n, s in shares.items()}
    print("\n".join(lines))
    note = f"MediaPipe 0.10.21 pose 'full' on {len(seen)} renders of {people} bodies"
    write_json(TABLE, {"keypoints": table, "source": note})


if __name__ == "__main__":
    main()
