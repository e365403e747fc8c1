"""Seconds of one fit, as JSON: the rendered person of the default parameters, front and side view.

Protocol: one process, the fit's own single thread; looking at the photos (MediaPipe, mask) and fitting are timed apart;
medians over --repeats runs after one to warm up. The photos are 540 x 800 px renders with known truth. The first guess
alone is timed from the observations on, masks brought to working size included, where its weights are; the peak
of memory is that of the whole process, body, MediaPipe and networks loaded.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from functools import partial

import torch

from avatarlab.body import Body
from avatarlab.fit import fit
from avatarlab.fit.cases import read
from avatarlab.fit.estimator.target import target
from avatarlab.fit.external import looked
from avatarlab.fit.regressor.predict import first_guess, weights_path

PERSON = [{"name": "rendered", "front": "rendered:7"}]


def seconds(action, repeats: int) -> float:
    """Return the median wall time of ``action()``, s."""
    action()
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def guess_seconds(views: tuple, person, body: Body, repeats: int) -> dict[str, float]:
    """The first guess from two observations; nothing where its weights are not there yet."""
    if not weights_path("pretrained").is_file():
        return {}

    def guess():
        first_guess(tuple(map(target, views)), person.subject.unweighed(), body)

    return {"first_guess_s": seconds(guess, repeats)}


def main(repeats: int) -> dict:
    torch.set_num_threads(1)
    body = Body.load()
    person = read(PERSON, body)[0]
    look = partial(looked, person.photos, clothes=person.subject.clothes)
    views = tuple(look()[0].values())
    found = {
        "observe_two_photos_s": seconds(look, repeats),
        "fit_two_views_s": seconds(lambda: fit(views, person.subject, body), repeats),
        "fit_front_only_s": seconds(lambda: fit(views[:1], person.subject, body), repeats),
    }
    found |= guess_seconds(views, person, body, repeats)
    return found | {"fit_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    json.dump(main(parser.parse_args().repeats), sys.stdout, indent=2)
    sys.stdout.write("\n")
