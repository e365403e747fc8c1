"""A model's poses finished as the lab's own model finishes its: feet stand where they stepped, wrists are where they were seen."""

import torch
from torch import Tensor

from avatarlab.motion.foot_contacts import ContactSettings, FootContacts
from avatarlab.motion.predictor import Motion, Predictor
from avatarlab.motion.skeleton import Skeleton
from avatarlab.motion.trackers import Trackers
from avatarlab.motion.two_bone_ik import arms
from avatarlab.motion.wrist_targets import WristTracker, wrist_targets


class PostProcessed:
    """Predictor: another one, whose contacts are not known, with feet and arms brought to their positions."""

    def __init__(self, model: Predictor, skeleton: Skeleton, manner: ContactSettings | None = None):
        self.model, self.skeleton, self.manner = model, skeleton, manner

    @torch.inference_mode()
    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames of a recording."""
        motion = FootContacts(self.skeleton, self.manner).clip(self.model.predict(trackers))
        return Motion(arms(self.skeleton, *motion, *wrist_targets(trackers)), motion.trans)

    def stream(self) -> "PostProcessedStream":
        """A fresh stream."""
        return PostProcessedStream(self)


class PostProcessedStream:
    """One recording as it happens."""

    def __init__(self, finished: PostProcessed):
        self.model, self.skeleton = finished.model.stream(), finished.skeleton
        self.feet, self.hands = FootContacts(self.skeleton, finished.manner), WristTracker()

    @torch.inference_mode()
    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """The next frame's devices, (3, 3, 3), (3, 3) m and (3,) -> its pose, T = 1."""
        motion = self.feet.push(self.model.push(rotations, positions, tracked))
        seen = (x[None] for x in self.hands.push(rotations, positions, tracked))
        return Motion(arms(self.skeleton, *motion, *seen), motion.trans)
