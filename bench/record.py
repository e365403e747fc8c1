"""Run every benchmark and keep the figures that have a budget: ``make bench`` -> reports/metrics/bench.json.

The file is in git, with the machine that it was measured on; 90_summary shows it beside the budgets. Times are wall
times, medians, of one process with one thread; run it on a machine with nothing else to do.
"""

import json
import logging
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

from avatarlab import ROOT
from avatarlab.files import write_json

KEPT = {
    "bench_body.py": {
        "body_load_ms": ("load", "wall_ms"),
        "body_forward_ms": ("forward_one", "wall_ms"),
        "sixteen_tapes_ms": ("sixteen_tapes_one", "wall_ms"),
    },
    "bench_render.py": {
        "face_id_256_ms": ("face_id_warp_256_ms", "wall"),
        "silhouette_forward_backward_256_ms": ("silhouette_forward_backward_256_ms", "wall"),
    },
    "bench_fit.py": {
        **{"observe_two_photos_s": (), "fit_two_views_s": (), "fit_front_only_s": (), "first_guess_s": ()},
        "fit_peak_mb": (),
    },
    "bench_motion.py": {
        **{"causal_frame_ms": (), "causal_frame_p99_ms": (), "stream_late_frames": (), "avatarposer_frame_ms": ()},
        **{"sage_frame_ms": (), "read_motion_s_per_min": ()},
    },
    "bench_pipeline.py": {"noop_repro_s": ()},
    "bench_service.py": {
        **{"service_start_s": (), "service_job_s": (), "service_jobs_per_min_1": (), "service_jobs_per_min_2": ()},
        **{"service_worker_mb": ()},
    },
}
"""Benchmark -> figure -> where it stands in what the benchmark prints (an empty path: under its own name)."""
OPTIONAL = {"first_guess_s", *KEPT["bench_motion.py"], *KEPT["bench_pipeline.py"], *KEPT["bench_service.py"]}
"""What a benchmark leaves out where weights, data or servers are missing."""


def measured(script: str) -> dict:
    """Run one benchmark with one thread and return what it prints."""
    logging.info("%s ...", script)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script))],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def processor() -> str:
    """Return the processor's name as Linux tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def main() -> None:
    figures = {"machine": f"{processor()}, {os.cpu_count()} cores", "torch": torch.__version__}
    for script, kept in KEPT.items():
        found = measured(script)
        for name, path in kept.items():
            value = found
            if name in OPTIONAL and name not in found:
                logging.info("%s is left out: nothing to measure", name)
                continue
            for key in path or (name,):
                value = value[key]
            figures[name] = round(value, 2)
    write_json(ROOT / "reports" / "metrics" / "bench.json", figures)
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
