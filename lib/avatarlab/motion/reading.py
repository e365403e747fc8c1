"""One take of a folder read by whichever reader its file calls for, and put onto our skeleton."""

from avatarlab.motion.predictor import Motion
from avatarlab.motion.recording import Recording
from avatarlab.motion.retarget import retarget
from avatarlab.motion.skeleton import Skeleton
from avatarlab.motion.sources import asf, bvh, expmap
from avatarlab.motion.takes import Take


def read_take(take: Take, skeleton: Skeleton) -> tuple[Motion, float]:
    """A take -> its motion on ``skeleton`` and its rate in Hz; unreadable or strange files raise InputError."""
    recording = read_recording(take)
    return retarget(recording, skeleton), recording.rate


def read_recording(take: Take) -> Recording:
    """A take that is on a skeleton of its own."""
    kind = take.path.suffix.lower()
    if kind == ".amc":
        return asf.read(take.skeleton, take.path)
    return (bvh if kind == ".bvh" else expmap).read(take.path)
