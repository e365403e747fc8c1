"""A few participants of the committed statistics, made the way stage 11_people makes them."""

from pathlib import Path
from types import SimpleNamespace

from avatarlab.body.layout import JOINT
from avatarlab.synthetic import making, matching, survey_rows

COUNTS = {"train": 2, "calibration": 2, "test": 2}
SEED = 3


def made(body, anny) -> SimpleNamespace:
    """Return rows, Anny's parameters theta (N, P) and all participants."""
    drawn = survey_rows.rows(COUNTS, folder=Path("nowhere"))
    *_, (_, _, theta) = matching.matched(body, anny, drawn, SEED, iterations=10)
    return SimpleNamespace(rows=drawn, theta=theta, all=making.participants(body, anny, drawn, theta, SEED))


def joint(joints, name):
    """Return one joint (3,) m of joints (55, 3)."""
    return joints[JOINT[name]].numpy()
