"""Seconds of a ``dvc repro`` that has nothing to do, the median of three, printed as JSON.

Where the pipeline has something to do, which may take half an hour, nothing is measured.
"""

import json
import statistics
import subprocess
import sys
import time

from avatarlab import ROOT
from avatarlab.lab import fingerprint


def changed() -> dict:
    """What DVC says of the stages after those that always run."""
    fingerprint.write()
    done = subprocess.run(["dvc", "status", "--json"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return {stage: why for stage, why in json.loads(done.stdout).items() if why != ["always changed"]}


def seconds() -> float:
    """One run's wall time."""
    begun = time.perf_counter()
    subprocess.run(["dvc", "repro", "-q"], cwd=ROOT, stdout=sys.stderr, check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    json.dump({} if changed() else {"noop_repro_s": statistics.median(seconds() for _ in range(3))}, sys.stdout)
