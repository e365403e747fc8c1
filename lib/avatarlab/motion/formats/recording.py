"""``Recording``: what a motion-capture file says, on the skeleton and in the axes of that file."""

from dataclasses import dataclass

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect

FORMS = ("asf", "daz", "expmap", "bvh")


@dataclass(frozen=True)
class Recording:
    """T frames of J joints, each the begin of the bone of its name; leaf bones end in a joint ``<bone>_end``.

    names (J,); parents (J,), -1 for the root, which is the first, and a parent always before its children; offsets
    (J, 3) m from the parent's joint at rest. ``rotations`` (T, J, 3, 3) turn the bones in the world FROM the rest pose,
    in which all are identity; an end turns with its bone. ``root`` (T, 3) m is the root's place. ``shifts`` (T, J, 3) m
    stand for ``offsets`` where a file moves its joints frame by frame. rate in Hz; ``up`` is 'y' or 'z'; ``form`` says
    which conventions the names and the rest pose follow: asf, daz, expmap (names as asf) or bvh (any other).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    root: np.ndarray
    rate: float
    up: str = "y"
    form: str = "bvh"
    shifts: np.ndarray | None = None

    def __post_init__(self):
        joints, frames = len(self.names), len(self.root)
        expect("offsets", self.offsets, (joints, 3))
        expect("rotations", self.rotations, ("T", joints, 3, 3), T=frames)
        expect("root", self.root, ("T", 3))
        if self.shifts is not None:
            expect("shifts", self.shifts, ("T", joints, 3), T=frames)
        if list(self.parents[:1]) != [-1] or any(not 0 <= p < k for k, p in enumerate(self.parents) if k):
            raise ValueError(
                f"parents: got {self.parents}, expected -1 first and each parent before its children."
            )
        if self.up not in ("y", "z") or self.form not in FORMS:
            raise ValueError(f"up, form: got {self.up!r}, {self.form!r}, expected y or z and one of {FORMS}.")
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"rate: got {self.rate}, expected frames a second above 0.")

    def __len__(self) -> int:
        return len(self.root)

    @property
    def rest(self) -> np.ndarray:
        """Positions (J, 3) m in the pose without rotations, from the root's joint."""
        positions = np.zeros_like(self.offsets)
        for joint, parent in enumerate(self.parents[1:], 1):
            positions[joint] = positions[parent] + self.offsets[joint]
        return positions

    @property
    def positions(self) -> np.ndarray:
        """Positions (T, J, 3) m of all joints in the file's world."""
        positions = np.repeat(self.root[:, None], len(self.names), 1)
        for joint, parent in enumerate(self.parents[1:], 1):
            arm = self.offsets[joint] if self.shifts is None else self.shifts[:, joint, :, None]
            turned = self.rotations[:, parent] @ arm
            positions[:, joint] = positions[:, parent] + turned.reshape(-1, 3)
        return positions

    def frames(self, chosen: slice) -> "Recording":
        """The same, only the frames of a slice of step 1."""
        shifts = None if self.shifts is None else self.shifts[chosen]
        return Recording(
            self.names, self.parents, self.offsets, self.rotations[chosen], self.root[chosen], self.rate,
            self.up, self.form, shifts,
        )  # fmt: skip
