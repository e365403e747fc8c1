"""The stratified model at work: poses of a recording, all at once or frame by frame, from the past alone."""

from pathlib import Path

import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, from_6d
from avatarlab.motion.sage.model import Sage, tracker_features
from avatarlab.motion.skeleton import Skeleton, align_heads
from avatarlab.motion.trackers import Trackers, frame_of, seen_from

CHUNK = 512
"""Windows that go through the networks together."""


class SagePredictor:
    """Predictor of a trained model on a skeleton. ``refined`` False leaves the refiner out; ``half`` runs the networks
    in bfloat16."""

    def __init__(self, model: Sage, skeleton: Skeleton, refined: bool = True, half: bool = False):
        self.model, self.skeleton, self.refined, self.half = model.eval(), skeleton, refined, half
        self.noise = model.noise

    @classmethod
    def load(
        cls, path: str | Path, skeleton: Skeleton, refined: bool = True, half: bool = False
    ) -> "SagePredictor":
        """Of a weights file."""
        return cls(Sage.load(path), skeleton, refined, half)

    @torch.inference_mode()
    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames of a recording; before its begin the first frame stands still."""
        if not len(trackers):
            raise InputError("trackers: got no frame, expected at least one; record longer.")
        pose, sparse, yaw = self.last_poses(trackers)
        if self.refined:
            pose = self.model.refiner(pose[None], sparse[None], None, yaw[None])[0][0]
        return self._placed(pose, yaw, trackers.positions)

    @torch.inference_mode()
    def last_poses(self, trackers: Trackers) -> tuple[Tensor, Tensor, Tensor]:
        """Of each of T frames, from the window that ends there: unrefined rotations (T, 22, 6), the root's as seen from
        the head; trackers (T, 3, 18) seen so; yaw (T,) from where they were seen."""
        pred = [self._windows(trackers, first) for first in range(0, len(trackers), CHUNK)]
        return tuple(torch.cat(part) for part in zip(*pred, strict=True))

    def _windows(self, trackers: Trackers, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """``last_poses`` of the frames from ``first`` on."""
        last = torch.arange(first, min(first + CHUNK, len(trackers)))
        rows = (last[:, None] + torch.arange(-self.model.settings.window, 1)).clamp_min(0)
        return self._pred(trackers.rotations[rows].float(), trackers.positions[rows].float())

    def _pred(self, rotations: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Devices of windows, (B, L + 1, 3, 3, 3) and (B, L + 1, 3, 3) -> ``last_poses`` of their last frames."""
        yaw = torch.zeros(len(rotations), device=rotations.device)
        if self.model.settings.normalised:
            yaw, origin = frame_of(rotations[:, -1], positions[:, -1])
            rotations, positions = seen_from(rotations, positions, yaw[:, None, None], origin[:, None, None])
        sparse = tracker_features(rotations, positions, self.model.settings)
        with torch.autocast(sparse.device.type, torch.bfloat16, enabled=self.half):
            pose = self.model(sparse, self.noise)[:, -1]
        return pose.float(), sparse[:, -1], yaw

    def _placed(self, pose: Tensor, yaw: Tensor, positions: Tensor) -> Motion:
        """Rotations (T, 22, 6) seen from ``yaw`` (T,) and tracked positions (T, 3, 3) -> poses in the world."""
        rotations = from_6d(pose)
        rotations = torch.cat([about_vertical(yaw)[:, None] @ rotations[:, :1], rotations[:, 1:]], 1)
        trans, _, _ = align_heads(self.skeleton, rotations, positions[:, 0].to(rotations))
        return Motion(rotations, trans)

    def stream(self) -> "SageStream":
        """A fresh stream."""
        return SageStream(self)


class SageStream:
    """The last frames of one recording, and the refiner's memory of all."""

    def __init__(self, predictor: SagePredictor):
        self.predictor, self.memory = predictor, None
        self.rotations = self.positions = None

    @torch.inference_mode()
    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """The next frame's devices, (3, 3, 3), (3, 3) m and (3,) -> its pose, T = 1.

        A lost device is taken at its word, wherever it was last said to be: the model knows nothing of ``tracked``.
        """
        length, model = self.predictor.model.settings.window + 1, self.predictor.model
        fresh = (rotations.float()[None], positions.float()[None])
        kept = (self.rotations, self.positions)
        if self.rotations is None:
            kept = tuple(x.expand(length, *[-1] * (x.ndim - 1)) for x in fresh)
        self.rotations, self.positions = (torch.cat([old[1:], new]) for old, new in zip(kept, fresh, strict=True))
        pose, sparse, yaw = self.predictor._pred(self.rotations[None], self.positions[None])
        if self.predictor.refined:
            pose, self.memory = model.refiner(pose[None], sparse[None], self.memory, yaw[None])
            pose = pose[0]
        return self.predictor._placed(pose, yaw, positions[None].float())
