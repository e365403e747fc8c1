"""The causal model at work: poses of a recording, all at once or frame by frame, wrists on the controllers, feet still."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.motion.causal.features import device_tokens, lost_for
from avatarlab.motion.causal.loss import from_head, local
from avatarlab.motion.causal.model import Network, load_network
from avatarlab.motion.foot_contacts import FootContacts
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, from_6d, to_6d
from avatarlab.motion.skeleton import HEAD, Skeleton, mirror
from avatarlab.motion.trackers import Trackers
from avatarlab.motion.two_bone_ik import arms
from avatarlab.motion.wrist_targets import WristTargets, WristTracker


@dataclass(frozen=True)
class Finish:
    """What is done to the network's answers. ``both``: it is asked left for right, too, and the mean is taken;
    ``follow``: share by which a frame's rotations, seen from the head, move to the new answer (1: no smoothing; 0.6 costs
    0.02 cm and takes a tenth of the jitter);
    ``hands``: wrists locked to the controllers; ``feet``: standing feet kept still."""

    both: bool = True
    follow: float = 0.7
    hands: bool = True
    feet: bool = True


class CausalPredictor:
    """Predictor of a trained network on a skeleton."""

    def __init__(self, network: Network, skeleton: Skeleton, finish: Finish | None = None):
        self.network, self.skeleton, self.finish = network.eval(), skeleton, finish or Finish()

    @classmethod
    def load(cls, path: str | Path, skeleton: Skeleton, finish: Finish | None = None) -> "CausalPredictor":
        """Of a weights file."""
        return cls(load_network(path), skeleton, finish)

    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames of a recording."""
        if not len(trackers):
            raise InputError("trackers: got no frame, expected at least one; record longer.")
        return self.stream().take(trackers.rotations, trackers.positions, trackers.tracked)

    def stream(self) -> "CausalStream":
        """A fresh stream."""
        return CausalStream(self)


class CausalStream:
    """One recording: what the network remembers of it, and the last frame of everything that looks back by one."""

    def __init__(self, predictor: CausalPredictor):
        self.predictor, self.finish = predictor, predictor.finish
        self.hands, self.feet = WristTracker(), FootContacts(predictor.skeleton)
        self.state = self.before = self.lost = self.head = self.rotations = None

    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """The next frame's devices, (3, 3, 3), (3, 3) m and (3,) -> its pose, T = 1."""
        return self.take(rotations[None], positions[None], tracked[None])

    @torch.inference_mode()
    def take(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """The next T frames' devices, (T, 3, 3, 3), (T, 3, 3) m and (T, 3) -> their poses; as T times ``push``."""
        rotations, positions = self._held(rotations.float(), positions.float(), tracked)
        world, contact = self._asked(rotations, positions, tracked)
        return self._finished(world, contact, rotations, positions, tracked)

    def _held(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> tuple[Tensor, Tensor]:
        """The devices with a lost head where it was last seen; never seen, it is taken at its word."""
        if bool(tracked[:, 0].all()):
            self.head = rotations[-1, 0], positions[-1, 0]
            return rotations, positions
        rotations, positions = rotations.clone(), positions.clone()
        for frame in range(len(positions)):
            if self.head is None or bool(tracked[frame, 0]):
                self.head = rotations[frame, 0].clone(), positions[frame, 0].clone()
            rotations[frame, 0], positions[frame, 0] = self.head
        return rotations, positions

    def _asked(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> tuple[Tensor, Tensor]:
        """The network's answers: world rotations (T, 22, 3, 3), probabilities (T, 4) of the feet's joints standing."""
        first = (rotations[:1], positions[:1]) if self.before is None else self.before
        before = tuple(torch.cat([old, new[:-1]]) for old, new in zip(first, (rotations, positions), strict=True))
        self.before = rotations[-1:], positions[-1:]
        tracked = torch.cat([torch.ones_like(tracked[:, :1]), tracked[:, 1:]], 1)
        lost = lost_for(tracked, self.lost)
        was = torch.cat([lost[:1] if self.lost is None else self.lost[None], lost[:-1]])
        self.lost = lost[-1]
        tokens = device_tokens(
            self._twice(rotations, positions), self._twice(*before), self._swapped(lost), self._swapped(was)
        )
        pred = self.predictor.network(tokens, self.state)
        self.state = pred.state
        turns, contact = self._joined(from_6d(pred.rotations), pred.contact.sigmoid())
        return about_vertical(tokens.yaw[0])[:, None] @ self._smoothed(turns), contact

    def _twice(self, rotations: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """(1 or 2, T, ...): as they are, and left for right."""
        pair = rotations, positions
        other = mirror(rotations, positions) if self.finish.both else ()
        return tuple(torch.stack(x) for x in zip(*(p for p in (pair, other) if p), strict=True))

    def _swapped(self, lost: Tensor) -> Tensor:
        return torch.stack([lost, lost[:, [0, 2, 1]]] if self.finish.both else [lost])

    def _joined(self, turns: Tensor, contact: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of both predictions, plain and mirrored; rotations (1 or 2, T, 22, 3, 3), probabilities (1 or 2, T, 4)."""
        if not self.finish.both:
            return turns[0], contact[0]
        mean = to_6d(0.5 * (turns[0] + mirror(turns[1])))
        return from_6d(mean), 0.5 * (contact[0] + contact[1][:, [1, 0, 3, 2]])

    def _smoothed(self, turns: Tensor) -> Tensor:
        """Rotations (T, 22, 3, 3) seen from the head that follow ``turns`` by a share a frame."""
        if self.finish.follow == 1:
            return turns
        outputs = []
        for turn in to_6d(turns):
            self.rotations = (
                turn if self.rotations is None else self.rotations + self.finish.follow * (turn - self.rotations)
            )
            outputs.append(self.rotations)
        return from_6d(torch.stack(outputs))

    def _finished(
        self, world: Tensor, contact: Tensor, rotations: Tensor, positions: Tensor, tracked: Tensor
    ) -> Motion:
        """World rotations and probabilities -> the pose under the tracked head, hands and feet put right."""
        skeleton = self.predictor.skeleton
        world = torch.cat([world[:, :HEAD], rotations[:, :1], world[:, HEAD + 1 :]], 1)
        joints = from_head(skeleton, world) + positions[:, :1]
        motion, posed = Motion(local(world), joints[:, 0] - skeleton.rest[0]), (world, joints)
        if self.finish.hands:
            motion = Motion(
                arms(skeleton, *motion, *self._expected(rotations, positions, tracked), posed), motion.trans
            )
        return self.feet.clip(motion, contact, posed) if self.finish.feet else motion

    def _expected(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> WristTargets:
        """Where the wrists shall be, (T, 2, ...)."""
        settled = self.hands.weight is None or bool((self.hands.weight == 1).all())
        if settled and bool(tracked[:, 1:].all()):  # nothing to blend: the last frame is all that is remembered
            self.hands.push(rotations[-1], positions[-1], tracked[-1])
            return WristTargets(positions[:, 1:], rotations[:, 1:], torch.ones_like(positions[:, 1:, 0]))
        frames = zip(rotations, positions, tracked, strict=True)
        return WristTargets(
            *(torch.stack(part) for part in zip(*(self.hands.push(*f) for f in frames), strict=True))
        )
