"""Search the participants and learn the published posterior: models/pretrained/posterior.safetensors and its card.

python tools/learn_posterior.py [options]      about 3.2 core seconds a person and track

What was searched is kept in the records folder, so a stopped run goes on, and --learn only learns from what is there.
"""

import argparse
from pathlib import Path

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.body.model import OPEN_BODY
from avatarlab.core.parallel import cores
from avatarlab.core.progress import ProgressLine
from avatarlab.fit.estimator.posterior import NAME, STAGE, Posterior
from avatarlab.fit.train.crossvalidation import card_of, compared, learned
from avatarlab.fit.train.run_fits import INPUTS, gather
from avatarlab.learn import weights
from avatarlab.synthetic import Participants

SECONDS = {"a": 3.2, "b": 3.2, "c": 4.5}
"""Core seconds that one person takes in a track, searched from the front and from both sides."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", default=ROOT / "data/people/participants.npz", type=Path)
    parser.add_argument("--records", default=ROOT / ".run/records", type=Path)
    parser.add_argument("--body", default=OPEN_BODY, type=Path)
    parser.add_argument("--tracks", default="abc", help="letters of the tracks searched")
    parser.add_argument("--train", type=int, help="people to learn from (default: all there are)")
    parser.add_argument(
        "--calibration", type=int, help="people no network has seen, that set the intervals' width"
    )
    parser.add_argument(
        "--guess", choices=("network", "starts"), help="how a search starts (default: as fit does)"
    )
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument(
        "--learn", action="store_true", help="search nobody, learn from the records that are there"
    )
    parser.add_argument("--out", default=weights.find(NAME, STAGE, "pretrained"), type=Path)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    people = Participants.load(given.people)
    counts = {"train": given.train, "calibration": given.calibration}
    counts = {name: count for name, count in counts.items() if count is not None}
    found = []
    for track in given.tracks:
        number = sum(min(len(people.of(s)), counts.get(s, 10**6)) for s in ("train", "calibration"))
        minutes = number * SECONDS[track] / max(given.workers, 1) / 60
        print(
            f"track {track}: {number} people, about {minutes:.0f} minutes on {given.workers} idle cores",
            flush=True,
        )
        found += gather(
            given.people, given.records, tracks=(track,), inputs=INPUTS, per_split=counts, body_file=given.body,
            guess=given.guess, workers=given.workers, progress=ProgressLine(f"track {track}", 30), only_there=given.learn,
        )  # fmt: skip
    publish([one for one in found if one.usable], people.source, given)


def publish(records, source: str, given: argparse.Namespace) -> None:
    """Learn, score on people left out, print the scores, write file and card."""
    table = compared(records)
    for one in table:
        more = "weight" if one.weight else ""
        three = f"{one.chest_mae_mm:5.1f} {one.waist_mae_mm:5.1f} {one.hip_mae_mm:5.1f}"
        print(
            f"{one.capture:9s} {one.inputs:11s} {one.method:17s} {more:7s} {one.people:4d} {one.mae15_mm:5.1f}   {three}"
        )
    bases = Body.load(given.body).bases
    card = card_of(records, source, {"guess": given.guess or "network"}, table, bases)
    posterior = learned(records)
    Posterior(posterior.optics, posterior.factors, card).save(given.out)
    print(given.out)


if __name__ == "__main__":
    main()
