"""Seconds of one fit, as JSON: the rendered person of the default parameters, front and side view.

Protocol: one process, the fit's own single thread; looking at the photos (MediaPipe, mask) and fitting are timed apart;
medians over --repeats runs after one to warm up. The photos are 540 x 800 px renders with known truth.
"""

import argparse
import json
import statistics
import sys
import time

from avatarlab.body import Body
from avatarlab.fit import fit
from avatarlab.fit.subjects import read

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


def main(repeats: int) -> dict:
    body = Body.load()
    person = read(PERSON, body)[0]
    views = tuple(person.observe().values())
    return {
        "observe_two_photos_s": seconds(person.observe, repeats),
        "fit_two_views_s": seconds(lambda: fit(views, person.stature_m, body, sex=person.sex), repeats),
        "fit_front_only_s": seconds(lambda: fit(views[:1], person.stature_m, body, sex=person.sex), repeats),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    json.dump(main(parser.parse_args().repeats), sys.stdout, indent=2)
    sys.stdout.write("\n")
