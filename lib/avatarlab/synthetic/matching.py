"""Bodies that have the tapes of surveyed people, out of Anny's own blendshapes, with builds no tape sees strewn."""

from collections.abc import Iterator

import numpy as np
import roma
import torch

from avatarlab.body import Body, poses
from avatarlab.body.open import people, raw
from avatarlab.measure import MEASURES, match
from avatarlab.synthetic.survey_rows import SEXES, Rows

LEAN_M = {
    **dict.fromkeys(("waistbreadth", "waistdepth", "hipbreadth", "buttockdepth"), 0.005),
    **{"chestdepth": 0.008, "bideltoidbreadth": 0.010},
    **dict.fromkeys(("waistheightomphalion", "buttockheight", "kneeheightmidpatella"), 0.015),
}
"""Breadths, depths and heights (ANSUR's columns) that a body leans to, tolerance in metres: what outlines show shall be
this person's, not what Anny makes of the tapes; the tapes come first."""
EXCESS_M = {
    "male": (0.011, 0.011, 0.018, 0.011, 0.020, -0.008, 0.002, 0.029, 0.012),
    "female": (0.008, 0.011, 0.019, 0.008, -0.007, -0.006, 0.030, 0.024, 0.000),
}
"""What Anny's bodies with people's tapes exceed those columns by, in the order of LEAN_M: definitions differ (a caliper
presses, landmarks lie elsewhere). Measured on 60 matched people."""
TAPED = (*MEASURES, "weight")
ASKED = (*TAPED, *LEAN_M)
TOLERANCE = dict.fromkeys(MEASURES, people.TAPE_TOLERANCE) | people.TOLERANCE | LEAN_M
POOR_M = 0.006
ROUNDS = 3
"""Bodies that miss a girth by more than POOR_M search on from where they are, so many times at most."""
GIRTHS = [k for k, name in enumerate(MEASURES) if name not in people.TOLERANCE]
BATCH = 20


def targets(drawn: Rows) -> torch.Tensor:
    """Return what is asked of the bodies (N, K), m and kg, by ASKED; float64."""
    lean = np.stack([drawn.columns[name] for name in LEAN_M], 1)
    excess = np.array([EXCESS_M[sex] for sex in drawn.sex]).reshape(lean.shape)
    return torch.from_numpy(np.concatenate([drawn.relaxed(TAPED), lean + excess], 1))


def starts(anny: raw.Raw, drawn: Rows, seed: int) -> torch.Tensor:
    """Return where each search starts (N, P), nuisances drawn."""
    of = {sex: raw.centres(anny.source, sex, len(drawn), 2 * seed + k) for k, sex in enumerate(SEXES)}
    return torch.where(torch.from_numpy(drawn.sex == "female")[:, None], of["female"], of["male"])


def matched(
    body: Body, anny: raw.Raw, drawn: Rows, seed: int, iterations: int
) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Find Anny's parameters of every row, on all cores; yields (round, bodies done in it, parameters (N, P))."""
    family = anny.standing(rotations(poses.standing()[None])[0])
    bodies = match.Bodies(family.base, family.modes, family.coordinates, family.jacobian, *raw.bounds(anny.source))
    options = {
        "names": ASKED,
        "sigma": torch.tensor([TOLERANCE[name] for name in ASKED], dtype=torch.float64),
        "iterations": iterations,
    }
    tapes, theta = targets(drawn), starts(anny, drawn, seed)
    poor = torch.arange(len(drawn))
    for turn in range(ROUNDS):
        for done, found, read in match.match_all(body, bodies, tapes[poor], theta[poor], batch=BATCH, **options):
            theta[poor[:done]] = found
            miss = (read - tapes[poor[:done]])[:, GIRTHS].abs().amax(1)
            yield turn, done, theta
        poor = poor[miss > POOR_M]
        if not len(poor):
            break


def rotations(pose: torch.Tensor) -> np.ndarray:
    """Axis-angle (..., 55, 3) rad -> local rotations (..., 55, 3, 3), float64."""
    return roma.rotvec_to_rotmat(pose.double()).numpy()
