"""Milliseconds of a frame of motion on one core, as JSON: streaming models, a live minute, and reading recordings.

Protocol: one process, one thread. A held-out segment is streamed frame by frame after WARM frames to warm up; medians
and 99th percentiles of --frames frames (a sixth of them for SAGE). ``stream_late_frames`` counts, of --seconds at
60 Hz against the clock, the frames that were not answered before the next was due. Reading is one take after the
other, every fifth of CMU's ASF/AMC in ../shared. Models without weights, and data that is not there, are left out.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from avatarlab import DATA, ROOT
from avatarlab.motion import models
from avatarlab.motion.capture.live import paced
from avatarlab.motion.data.building import clean_take, ground
from avatarlab.motion.data.cleaning import CUTOFF_HZ
from avatarlab.motion.data.recordings import takes_in, unpack
from avatarlab.motion.evaluate import Bench
from avatarlab.motion.predictor import Predictor
from avatarlab.motion.trackers import Trackers

LIBRARY = ROOT / "data" / "motion" / "motion.npz"
SPLIT = "heldout"
WARM = 30


def frame_ms(model: Predictor, trackers: Trackers, frames: int) -> list[float]:
    """What each of ``frames`` frames took in a fresh stream, ms, after WARM others."""
    stream, took = model.stream(), []
    for n in range(WARM + frames):
        k = n % len(trackers)
        begin = time.perf_counter()
        stream.push(trackers.rotations[k], trackers.positions[k], trackers.tracked[k])
        took.append(1000 * (time.perf_counter() - begin))
    return took[WARM:]


def of_models(frames: int, seconds: float) -> dict[str, float]:
    """Milliseconds of each network's frames, and late frames of the causal one."""
    bench = Bench.load(LIBRARY, "pretrained")
    longest = max(bench.library.split(SPLIT)[1], key=lambda k: bench.library.length([k]))
    trackers, found = bench.trackers(longest), {}
    for name in ("causal", "avatarposer", "sage"):
        if name in models.NETWORKS and models.is_available(name, SPLIT):
            model = bench.model(name, SPLIT)
            took = frame_ms(model, trackers, frames // 6 if name == "sage" else frames)
            found[f"{name}_frame_ms"] = statistics.median(took)
            found[f"{name}_frame_p99_ms"] = statistics.quantiles(took, n=100)[98]
            if name == "causal":
                found["stream_late_frames"] = paced(model, trackers, seconds).late
    return found


def reading(archive: Path = DATA / "mocap" / "cmu_asfamc.tar.xz", takes: int = 8) -> dict[str, float]:
    """Seconds that a recorded minute of ASF/AMC at 120 Hz takes to be read, retargeted and cleaned, archive unpacked."""
    if not archive.is_file():
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        found, _ = takes_in(unpack(archive, Path(scratch) / "cmu_asfamc"))
        on, begin = ground(None, CUTOFF_HZ), time.perf_counter()
        minutes = sum(clean_take(on, take).seconds for take in found[:: len(found) // takes]) / 60
        return {"read_motion_s_per_min": (time.perf_counter() - begin) / minutes}


def main(frames: int, seconds: float) -> dict:
    torch.set_num_threads(1)
    found = of_models(frames, seconds) if LIBRARY.is_file() else {}
    return found | reading()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    json.dump(main(given.frames, given.seconds), sys.stdout, indent=2)
    sys.stdout.write("\n")
