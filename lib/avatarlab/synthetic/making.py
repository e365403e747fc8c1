"""From matched parameters to participants: posed, before a camera, measured, all on disk in one file."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from avatarlab.body import Body, poses
from avatarlab.body.open import raw
from avatarlab.measure import MEASURES, tape
from avatarlab.synthetic.matching import rotations
from avatarlab.synthetic.participant import DIMENSIONS, STEP_M, Participants
from avatarlab.synthetic.posing import VIEWS, camera, sloppy
from avatarlab.synthetic.survey_rows import Rows


def participants(body: Body, anny: raw.Raw, drawn: Rows, theta: torch.Tensor, seed: int) -> Participants:
    """Pose and photograph the bodies of parameters theta (N, P), and measure what was made."""
    made = in_threads(lambda k: _made(body, anny, theta[k], np.random.default_rng([seed, k])), range(len(drawn)))
    arrays = {name: np.stack([one[name] for one in made]) for name in made[0]}
    points = arrays.pop("points")
    read = [_measured(body, part) for part in np.array_split(points, len(points) // 10 + 1)]
    arrays["mesh"], arrays["mesh_dimensions"] = (np.concatenate(part) for part in zip(*read, strict=True))
    arrays["betas"] = projected(body, arrays.pop("t_pose"))
    arrays |= {"id": drawn.id, "split": drawn.split, "sex": drawn.sex}
    arrays |= {"row": drawn.table(), "truth": drawn.relaxed(MEASURES)}
    return Participants(drawn.source, tuple(drawn.columns), VIEWS, arrays)


def in_threads(work, jobs) -> list:
    """Return work(job) of every job, in order, on all cores with one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return list(pool.map(work, jobs))
    finally:
        torch.set_num_threads(threads)


def _made(body: Body, anny: raw.Raw, theta: torch.Tensor, chance: np.random.Generator) -> dict[str, np.ndarray]:
    """Return one body's arrays: points standing and in T-pose (V + 55, 3), and those of each shot."""
    pose = torch.stack([poses.tpose(), poses.standing(), *(sloppy(chance, view) for view in VIEWS)])
    t_pose, points, *seen = anny.posed(theta, rotations(pose))
    skin = np.stack([np.rint(each[: body.skin_count] / STEP_M).astype(np.int16) for each in seen])
    cameras = [
        camera(torch.from_numpy(v * np.float32(STEP_M)), chance, view) for v, view in zip(skin, VIEWS, strict=True)
    ]
    return {
        "t_pose": t_pose,
        "points": points,
        "vertices": skin,
        "joints": np.stack([raw.markers(each) for each in seen]).astype(np.float32),
        "pose": pose[2:].numpy(),
        "viewmat": np.stack([c.viewmat.numpy() for c in cameras]),
        "K": np.stack([c.K.numpy() for c in cameras]),
        "size": np.array([[c.width, c.height] for c in cameras]),
    }


def _measured(body: Body, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 16 tapes (N, 16) m and the DIMENSIONS (N, 7) m of standing points (N, V + 55, 3) m."""
    points = torch.from_numpy(points)
    read = tape.tapes(body, points) | tape.dimensions(body, points)
    tapes, outline = (torch.stack([read[name] for name in names], 1) for names in (MEASURES, DIMENSIONS))
    return tapes.double().numpy(), outline.double().numpy()


def projected(body: Body, points: np.ndarray) -> np.ndarray:
    """Return betas (N, S) float32 of the bodies of the open body nearest to T-posed points (N, V + 55, 3) m."""
    slots = len(body.shape_prior()[0])
    with torch.no_grad():
        shapes = (body(betas=torch.eye(slots)).vertices - body.template).double().flatten(1)
        offsets = (torch.from_numpy(points) - body.template).double().flatten(1)
        # Normal equations: 48 well-scaled unknowns in float64, and the same bytes each time, unlike gelsy's.
        return torch.linalg.solve(shapes @ shapes.T, shapes @ offsets.T).T.float().numpy()
