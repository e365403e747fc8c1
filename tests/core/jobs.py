"""Work for other processes: functions that a spawned one can import."""

import os
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import torch


def models(scale: float) -> dict:
    if scale < 0:
        raise ValueError("scale must not be negative")
    return {"scale": scale, "loaded_in": os.getpid()}


def work(models, job):
    """What the name of the job says."""
    if job == "fails":
        raise ValueError("this one\nfails")
    if job == "dies":
        os._exit(7)
    if job == "unsendable":
        return lambda: None
    if job == "interrupts":
        os.kill(os.getpid(), signal.SIGINT)
    what, _, path = job.partition(":")
    if what == "marks":
        Path(path).touch()
    while what == "waits" and not Path(path).exists():
        time.sleep(0.01)
    scale = models["scale"] if models else 1.0
    threads = (torch.get_num_threads(), cv2.getNumThreads(), os.environ.get("OMP_NUM_THREADS"))
    return {"job": job, "scale": scale, "pid": os.getpid(), "threads": threads, "loaded": models["loaded_in"]}


def sums(_, seed: int) -> np.ndarray:
    """Float32 sums whose last bits depend on the order of adding."""
    chance = torch.Generator().manual_seed(seed)
    table = torch.randn(400, 400, generator=chance)
    return (table @ table.T).sum(1).numpy()
