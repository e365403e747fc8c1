"""Models of motion on equal terms: scored over the test segments of splits, with and without a lost controller."""

from avatarlab.motion.evaluate.segments import Bench, Job, bench, chosen, gather, jobs, leaks, means, score

__all__ = ["Bench", "Job", "bench", "gather", "jobs", "leaks", "means", "score", "chosen"]
