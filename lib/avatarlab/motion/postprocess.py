"""A model's poses finished as the lab's own model finishes its: feet stand where they stepped, wrists are where they were seen."""

import torch
from torch import Tensor

from avatarlab.motion.foot_contacts import Feet, Manner
from avatarlab.motion.predictor import Motion, Predictor
from avatarlab.motion.skeleton import Skeleton
from avatarlab.motion.trackers import Trackers
from avatarlab.motion.two_bone_ik import arms
from avatarlab.motion.wrist_targets import Hands, wanted


class Finished:
    """Predictor: another one, whose contacts are not known, with feet and arms brought to their places."""

    def __init__(self, model: Predictor, skeleton: Skeleton, manner: Manner | None = None):
        self.model, self.skeleton, self.manner = model, skeleton, manner

    @torch.inference_mode()
    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames of a recording."""
        motion = Feet(self.skeleton, self.manner).clip(self.model.predict(trackers))
        return Motion(arms(self.skeleton, *motion, *wanted(trackers)), motion.trans)

    def stream(self) -> "FinishedStream":
        """A fresh stream."""
        return FinishedStream(self)


class FinishedStream:
    """One recording as it happens."""

    def __init__(self, finished: Finished):
        self.model, self.skeleton = finished.model.stream(), finished.skeleton
        self.feet, self.hands = Feet(self.skeleton, finished.manner), Hands()

    @torch.inference_mode()
    def push(self, rotations: Tensor, places: Tensor, tracked: Tensor) -> Motion:
        """The next frame's devices, (3, 3, 3), (3, 3) m and (3,) -> its pose, T = 1."""
        motion = self.feet.push(self.model.push(rotations, places, tracked))
        seen = (x[None] for x in self.hands.push(rotations, places, tracked))
        return Motion(arms(self.skeleton, *motion, *seen), motion.trans)
