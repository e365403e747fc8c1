"""Principal movements: a window of poses as few numbers, spread over the slots of the codes; and back.

The codebooks begin from here instead of from nothing: the strongest components of whole windows, each slot (one code
of one token) given about as much to say as any other, as in optimised product quantisation (Ge et al., CVPR 2013).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avatarlab.core.shapes import expect
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.skeleton import COUNT, PARENT, Skeleton

LAST, OTHERS = 1.3, 0.7
"""Weights of a window's last frame and of the others."""
LEAST_REACH_M = 0.03


class PosePCA(nn.Module):
    """``settings.movements`` components of windows of ``joints`` joints, as latents (B, tokens, latent)."""

    def __init__(self, settings: SageSettings, joints: int):
        super().__init__()
        self.shape, self.tokens = (settings.window, joints, 6), settings.tokens
        self.books, self.entry_size = settings.books, settings.entry_size
        length, count = math.prod(self.shape), settings.movements
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("weight", torch.ones(length))
        self.register_buffer("basis", torch.zeros(length, count))
        self.register_buffer("size", torch.ones(count))
        self.register_buffer("place", torch.arange(count))

    @property
    def measured(self) -> bool:
        """Whether there is anything to begin from."""
        return bool(self.basis.any())

    def taken(self, pose: Tensor) -> Tensor:
        """Rotations (B, L, J, 6) -> latents (B, tokens, latent), about one in size; unused numbers are zero."""
        expect("pose", pose, ("B", *self.shape))
        with torch.autocast(pose.device.type, enabled=False):
            pred = ((pose.float().flatten(1) - self.mean) * self.weight) @ self.basis / self.size
        latent = pred.new_zeros(len(pose), self.tokens * self.books * self.entry_size)
        return latent.index_copy(1, self.place, pred).unflatten(1, (self.tokens, -1))

    def given(self, latents: Tensor) -> Tensor:
        """Latents (B, tokens, latent) -> rotations (B, L, J, 6)."""
        with torch.autocast(latents.device.type, enabled=False):
            pred = latents.float().flatten(1)[:, self.place] * self.size
            return ((pred @ self.basis.T) / self.weight + self.mean).unflatten(1, self.shape)

    def importance(self) -> Tensor:
        """How much each number of the latents moves the body (tokens, latent), their mean one; unused ones nothing."""
        flat = self.size.new_zeros(self.tokens * self.books * self.entry_size)
        flat = flat.index_copy(0, self.place, self.size * (flat.numel() / self.size.sum()))
        return flat.unflatten(0, (self.tokens, -1))

    @torch.no_grad()
    def measure(self, pose: Tensor, reach: Tensor) -> None:
        """Find the components of rotations (N, L, J, 6), joints weighed by how far they move others, (J,) m."""
        frames = torch.full((self.shape[0], 1, 1), OTHERS)
        frames[-1] = LAST
        self.weight.copy_((frames * reach[None, :, None]).expand(self.shape).flatten())
        rows = pose.flatten(1)
        self.mean.copy_(rows.mean(0))
        rows = (rows - self.mean) * self.weight
        values, vectors = torch.linalg.eigh((rows.T @ rows / len(rows)).double())
        count = len(self.size)
        values, vectors = values.flip(0)[:count].clamp_min(1e-12).float(), vectors.flip(1)[:, :count].float()
        sign = torch.gather(vectors, 0, vectors.abs().argmax(0)[None]).sign()  # which of the two is chance
        self.basis.copy_(vectors * sign)
        for slot, chosen in enumerate(slot_shares(values.tolist(), self.tokens * self.books, self.entry_size)):
            book, token = divmod(slot, self.tokens)
            begin = (token * self.books + book) * self.entry_size
            self.place[chosen] = torch.arange(begin, begin + len(chosen))
            self.size[chosen] = values[chosen].sum().sqrt()


def slot_shares(values: Sequence[float], slots: int, most: int) -> list[list[int]]:
    """Components of falling variances ``values`` -> numbers of those of each slot, at most ``most``.

    The product of variances is kept even over slots, so that equally many codes leave equal errors; slots of like kind
    are neighbours, so that they can share a book.
    """
    load, chosen = [0.0] * slots, [[] for _ in range(slots)]
    for number, value in enumerate(values):
        free = [k for k in range(slots) if len(chosen[k]) < most]
        slot = min(free, key=lambda k: load[k])
        chosen[slot].append(number)
        load[slot] += math.log(value / values[-1]) + 1e-3

    def kind(numbers: list[int]) -> tuple:
        return len(numbers), -values[numbers[0]] / sum(values[k] for k in numbers), numbers[0]

    return sorted(chosen, key=kind)


def reaches(skeleton: Skeleton, joints: Sequence[int]) -> Tensor:
    """How far a turn of each of ``joints`` moves the body: root mean square distance (J,) m to the joints that hang on
    it, all 22 counted."""
    rest = skeleton.rest.cpu()
    below = torch.zeros(COUNT, COUNT)
    for joint in range(1, COUNT):
        above = PARENT[joint]
        while above >= 0:
            below[above, joint] = 1
            above = PARENT[above]
    squares = (torch.cdist(rest, rest).square() * below).sum(1) / COUNT
    return (squares + LEAST_REACH_M**2).sqrt()[list(joints)]
