"""Times of the open body on one CPU thread, as JSON: loading, posing, measuring.

Protocol: models/body/smplx_open.npz; each figure is the median over --repeats runs after two to warm up, both as wall
time and as processor time (which a busy machine does not lengthen). One body has 48 shape components, all 55 joints
turned and 52 expressions.
"""

import argparse
import json
import statistics
import sys
import time

import torch

from avatarlab.body import Body, poses
from avatarlab.measure import tapes


def timed(action, repeats: int) -> dict[str, float]:
    """Return median wall and processor time of ``action()`` in ms."""
    action(), action()
    wall, processor = [], []
    for _ in range(repeats):
        begin = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - begin[0])
        processor.append(time.process_time() - begin[1])
    return {"wall_ms": 1e3 * statistics.median(wall), "processor_ms": 1e3 * statistics.median(processor)}


def main(repeats: int) -> dict:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    body = Body.load()
    betas, pose, expression = torch.randn(32, 48), 0.2 * torch.randn(32, 55, 3), torch.rand(32, 52)
    with torch.no_grad():
        standing = body(betas=betas, pose=poses.standing()).vertices
        return {
            "load": timed(Body.load, max(3, repeats // 5)),
            "forward_one": timed(lambda: body(betas=betas[0], pose=pose[0], expression=expression[0]), repeats),
            "forward_batch_32": timed(lambda: body(betas=betas, pose=pose, expression=expression), repeats // 3),
            "sixteen_tapes_one": timed(lambda: tapes(body, standing[0]), repeats),
            "sixteen_tapes_batch_32": timed(lambda: tapes(body, standing), repeats // 3),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    json.dump(main(parser.parse_args().repeats), sys.stdout, indent=2)
    sys.stdout.write("\n")
