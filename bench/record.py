"""Run every benchmark and keep the figures that have a budget: ``make bench`` -> reports/metrics/bench.json.

The file is in git, with the machine that it was measured on; 90_summary shows it beside the budgets. Times are wall
times, medians, of one process with one thread; run it on a machine with nothing else to do. Budgets of RATIOS are in
units of a yardstick, a fixed piece of work that is timed in the same run before and after each benchmark: they hold on
a slower machine, too. A budget that is missed ends the run with status 1.
"""

import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from avatarlab import ROOT
from avatarlab.core.files import write_json
from avatarlab.evaluate import targets

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
RATIOS = {
    **{"body_load_ms": 1, "body_forward_ms": 1, "sixteen_tapes_ms": 1, "face_id_256_ms": 1},
    **{"silhouette_forward_backward_256_ms": 1, "fit_two_views_s": 1000, "first_guess_s": 1000},
    **{"causal_frame_ms": 1, "read_motion_s_per_min": 1000, "service_job_s": 1000, "service_start_s": 1000},
    "noop_repro_s": 1000,
}
"""Times whose budget is in yardsticks, under their name without its unit and with ``_ratio``; their unit in ms."""


def yardstick_ms(repeats: int = 15) -> float:
    """The median wall time, ms, of what this lab does all day: products, gathers, sorting, and plain Python."""
    torch.set_num_threads(1)
    chance = torch.Generator().manual_seed(0)
    square, many = torch.rand(400, 400, generator=chance), torch.rand(200_000, generator=chance)
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        order = (square @ square).sum() + many[many.argsort()].cumsum(0)[-1]
        sum(k * k for k in range(50_000)), float(order)
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken)


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


def ratio_name(name: str) -> str:
    """``body_load_ms`` -> ``body_load_ratio``."""
    return name.replace("_s_per_min", "_s").rpartition("_")[0] + "_ratio"


def judged(figures: dict) -> bool:
    """Log every budget of notebooks/targets.yaml against its figure; whether all that were measured are met."""
    budgets = {"bench": targets.read(ROOT / "notebooks" / "targets.yaml")["bench"]}
    rows = [row for row in targets.compare({"bench": figures}, budgets) if row.met is not None]
    for row in rows:
        logging.info(
            "%-7s %s: %s, %s",
            "" if row.met else "MISSED" if row.value else "missing",
            row.key,
            row.value,
            row.target,
        )
    return all(row.met or row.value is None for row in rows)


def main() -> int:
    figures = {"machine": f"{processor()}, {os.cpu_count()} cores", "torch": torch.__version__}
    for script, kept in KEPT.items():
        before = yardstick_ms()
        found = measured(script)
        yard = (before + yardstick_ms()) / 2
        figures["yardstick_ms"] = round(yard, 2)
        for name, path in kept.items():
            value = found
            if name in OPTIONAL and name not in found:
                logging.info("%s is left out: nothing to measure", name)
                continue
            for key in path or (name,):
                value = value[key]
            figures[name] = round(value, 2)
            if name in RATIOS:
                figures[ratio_name(name)] = round(value * RATIOS[name] / yard, 3)
    write_json(ROOT / "reports" / "metrics" / "bench.json", figures)
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return int(not judged(figures))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
