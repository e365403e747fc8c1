"""From surveyed rows to posed participants: rows, bodies matched to them by Anny's own blendshapes, poses, cameras."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch

from avatarlab import DATA
from avatarlab.body import Body, poses
from avatarlab.body.open import people, raw
from avatarlab.measure import MEASURES, match, population, survey, tape
from avatarlab.measure.definitions import FLEXED_M
from avatarlab.people.participant import SPLITS, STEP_M, Participants
from avatarlab.people.posing import VIEWS, camera, sloppy

SEXES = ("male", "female")
ASKED = (*MEASURES, "weight", *people.LEAN)
"""What a body is matched to: the tapes and the weight, and loosely the breadths and depths of waist and hip."""
TOLERANCE = dict.fromkeys(MEASURES, people.TAPE_TOLERANCE) | people.TOLERANCE | people.LEAN


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of N people: id, split, sex (N,) and columns name -> (N,) m, kg; ``source`` is ansur2 or statistics."""

    source: str
    id: np.ndarray
    split: np.ndarray
    sex: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.id)

    def table(self) -> np.ndarray:
        """Return all columns as (N, C)."""
        return np.stack(list(self.columns.values()), 1)

    def relaxed(self, names: tuple[str, ...]) -> np.ndarray:
        """Return columns (N, K) m with biceps and forearm as they are relaxed."""
        excess = {sex: [FLEXED_M[sex].get(name, 0.0) for name in names] for sex in SEXES}
        return np.stack([self.columns[name] for name in names], 1) - np.array([excess[sex] for sex in self.sex])


def rows(counts: dict[str, int], seed: int, folder: Path = DATA / "ansur2") -> Rows:
    """Draw people for each split, half men half women, nobody twice: surveyed rows, or rows of the statistics."""
    per_sex = {split: counts[split] // 2 for split in SPLITS}
    wanted = sum(per_sex.values())
    surveyed = all((folder / name).is_file() for name in survey.FILES.values())
    parts = [_rows_of(sex, wanted, seed, folder if surveyed else None) for sex in SEXES]
    split = np.repeat(SPLITS, [per_sex[s] for s in SPLITS])
    order = np.arange(2 * wanted).reshape(2, wanted).T.ravel()  # men and women in turn
    numbers = np.concatenate([numbers for numbers, _ in parts])
    sex = np.repeat(SEXES, wanted)
    id = np.array([f"{s[0]}{n:04d}" for s, n in zip(sex, numbers, strict=True)])
    columns = {name: np.concatenate([table[name] for _, table in parts])[order] for name in parts[0][1]}
    source = "ansur2" if surveyed else "statistics"
    return Rows(source, id[order], np.tile(split, 2)[order], sex[order], columns)


def _rows_of(sex: str, count: int, seed: int, folder: Path | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return numbers (N,) and columns of ``count`` people of one sex, each at most once."""
    if folder is None:
        return np.arange(count), population.sample(sex, count, seed)
    everybody = survey.read(folder, sex)
    chosen = np.random.default_rng([seed, SEXES.index(sex)]).choice(
        len(everybody["stature"]), count, replace=False
    )
    return chosen, {name: values[chosen] for name, values in everybody.items()}


def matched(
    body: Body, anny: raw.Raw, drawn: Rows, seed: int, iterations: int
) -> Iterator[tuple[int, torch.Tensor]]:
    """Find Anny's parameters of every row on all cores; yields (bodies done, parameters (done, P)) as it goes."""
    standing = anny.standing(_rotations(poses.standing()[None])[0])
    low, high, spread = raw.bounds(anny.source)
    bodies = match.Bodies(
        standing.base, standing.modes, standing.coordinates, standing.jacobian, low, high, spread
    )
    sigma = torch.tensor([TOLERANCE[name] for name in ASKED])
    targets = torch.from_numpy(drawn.relaxed(ASKED)).float()
    starts = {sex: raw.centres(anny.source, sex, len(drawn), 2 * seed + k) for k, sex in enumerate(SEXES)}
    female = torch.from_numpy(drawn.sex == "female")
    centre = torch.where(female[:, None], starts["female"], starts["male"])
    options = {"names": ASKED, "sigma": sigma, "iterations": iterations}
    for done, theta, _ in match.match_all(body, bodies, targets, centre, batch=10, **options):
        yield done, theta


def _rotations(pose: torch.Tensor) -> np.ndarray:
    return roma.rotvec_to_rotmat(pose.double()).numpy()


def participants(body: Body, anny: raw.Raw, drawn: Rows, theta: torch.Tensor, seed: int) -> Participants:
    """Pose and photograph the bodies of parameters theta (N, P), and measure what was made."""
    made = in_threads(lambda k: _made(body, anny, theta[k], np.random.default_rng([seed, k])), range(len(drawn)))
    arrays = {name: np.stack([one[name] for one in made]) for name in made[0]}
    points = arrays.pop("points")
    arrays["mesh"] = np.concatenate([_tapes(body, part) for part in np.array_split(points, len(points) // 10 + 1)])
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
    t_pose, points, *seen = anny.posed(theta, _rotations(pose))
    skin = np.stack([np.rint(each[: body.skin_count] / STEP_M).astype(np.int16) for each in seen])
    cameras = [
        camera(torch.from_numpy(v * np.float32(STEP_M)), chance, view) for v, view in zip(skin, VIEWS, strict=True)
    ]
    return {
        "t_pose": t_pose,
        "points": points,
        "vertices": skin,
        "joints": np.stack([raw.markers(each) for each in seen]),
        "pose": pose[2:].numpy(),
        "viewmat": np.stack([c.viewmat.numpy() for c in cameras]),
        "K": np.stack([c.K.numpy() for c in cameras]),
        "size": np.array([[c.width, c.height] for c in cameras]),
    }


def _tapes(body: Body, points: np.ndarray) -> np.ndarray:
    """Return the 16 tapes (N, 16) m of standing points (N, V + 55, 3) m."""
    read = tape.tapes(body, torch.from_numpy(points))
    return torch.stack([read[name] for name in MEASURES], 1).double().numpy()


def projected(body: Body, points: np.ndarray) -> np.ndarray:
    """Return betas (N, S) float32 of the bodies of the open body nearest to T-posed points (N, V + 55, 3) m."""
    slots = len(body.shape_prior()[0])
    with torch.no_grad():
        shapes = body(betas=torch.eye(slots)).vertices - body.template
        offsets = torch.from_numpy(points) - body.template
        return torch.linalg.lstsq(shapes.flatten(1).T, offsets.flatten(1).T).solution.T.numpy()
