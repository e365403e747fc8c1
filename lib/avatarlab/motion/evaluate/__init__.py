"""Models of motion on equal terms: scored over the test segments of splits, with and without a lost controller."""

from avatarlab.motion.evaluate.segments import Bench, SegmentJob, bench, chosen, gather, jobs, leaks, means, score

__all__ = ["Bench", "SegmentJob", "bench", "gather", "jobs", "leaks", "means", "score", "chosen"]
