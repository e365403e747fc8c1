"""``Clip``, the noun: motion of one person in the keys of AMASS, face included."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import roma
import torch

from avatarlab.core.errors import InputError
from avatarlab.core.files import write_npz
from avatarlab.motion.data.resampling import positions_at, rotations_at, ticks
from avatarlab.motion.formats.amass import ACTIONS, FAR_M, GENDERS, PARTS, WIDTH, WILD_RAD, read
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import COUNT

SCHEMA = "avatarlab.clip/1"
JOINTS = WIDTH // 3


@dataclass(frozen=True)
class Clip:
    """T frames in a z-up world; on disk an npz that AMASS tools read.

    poses (T, 165) axis-angle rad of the 55 SMPL-X joints, local, the root's in the world; trans (T, 3) m; betas (B,);
    gender male, female or neutral; mocap_frame_rate Hz; expression (T, 52) strengths of ARKit's actions, zero if None.
    ``header``: JSON values saying how the clip came about. Everything float32 and read-only.
    """

    poses: np.ndarray
    trans: np.ndarray
    betas: np.ndarray = field(default_factory=lambda: np.zeros(10))
    gender: str = "neutral"
    mocap_frame_rate: float = 60.0
    expression: np.ndarray | None = None
    header: dict = field(default_factory=dict)

    def __post_init__(self):
        frames = len(self.poses) if np.ndim(self.poses) == 2 else 0
        if frames == 0:
            raise InputError(
                f"clip: poses are {np.shape(self.poses)}, expected ({WIDTH} numbers) of at least one frame."
            )
        if self.expression is None:
            object.__setattr__(self, "expression", np.zeros((frames, ACTIONS)))
        shapes = {"poses": (frames, WIDTH), "trans": (frames, 3), "expression": (frames, ACTIONS), "betas": None}
        for name, shape in shapes.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), shape))
        _in_metres_and_radians(self.poses, self.trans)
        rate = float(self.mocap_frame_rate)
        if not (np.isfinite(rate) and rate > 0):
            raise InputError(f"clip: mocap_frame_rate: got {rate}, expected frames a second above 0.")
        if self.gender not in GENDERS:
            raise InputError(f"clip: gender: got {self.gender!r}, expected one of {', '.join(GENDERS)}.")
        object.__setattr__(self, "mocap_frame_rate", rate)

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return (len(self) - 1) / self.mocap_frame_rate

    @property
    def rotations(self) -> torch.Tensor:
        """Local rotations (T, 22, 3, 3) of the body's joints, the root's in the world."""
        return roma.rotvec_to_rotmat(torch.tensor(self.poses[:, : 3 * COUNT]).unflatten(-1, (COUNT, 3)))

    @property
    def motion(self) -> Motion:
        """The body's motion; at 60 Hz only if the clip is (see ``resampled``)."""
        return Motion(self.rotations, torch.tensor(self.trans))

    @classmethod
    def of(cls, motion: Motion, betas=(), gender: str = "neutral", rate: float = 60.0, **header) -> "Clip":
        """A clip of the body alone; hands, face and eyes at rest."""
        poses = np.zeros((len(motion.trans), WIDTH), np.float32)
        body = roma.rotmat_to_rotvec(motion.rotations.detach().cpu().double())
        poses[:, : 3 * COUNT] = body.flatten(-2).numpy()
        trans = motion.trans.detach().cpu().numpy()
        return cls(poses, trans, np.asarray(betas, dtype=np.float32), gender, rate, header=header)

    def frames(self, chosen: slice) -> "Clip":
        """The frames of a slice of step 1."""
        parts = {name: getattr(self, name)[chosen] for name in ("poses", "trans", "expression")}
        return replace(self, **parts)

    def resampled(self, rate: float) -> "Clip":
        """The same motion at ``rate`` Hz, from the first frame to the last tick in it; no low-pass (see resampling)."""
        times = ticks(len(self), self.mocap_frame_rate, rate)
        if np.array_equal(times, np.arange(len(self))):
            return replace(self, mocap_frame_rate=rate)
        vectors = torch.tensor(self.poses).double().unflatten(-1, (JOINTS, 3))
        moving = (vectors != 0).any(-1).any(0)
        turned = rotations_at(roma.rotvec_to_rotmat(vectors[:, moving]).numpy(), times)
        poses = np.zeros((len(times), JOINTS, 3))
        poses[:, moving.numpy()] = roma.rotmat_to_rotvec(torch.tensor(turned)).numpy()
        trans, expression = positions_at(self.trans, times), positions_at(self.expression, times)
        parts = {"poses": poses.reshape(-1, WIDTH), "trans": trans, "expression": expression}
        return replace(self, **parts, mocap_frame_rate=rate)

    def joints(self, body) -> torch.Tensor:
        """Positions (T, 55, 3) m in the z-up world on ``body`` with the clip's betas."""
        rotations = roma.rotvec_to_rotmat(torch.tensor(self.poses).unflatten(-1, (JOINTS, 3)))
        with torch.no_grad():
            return body.joints_only(
                betas=torch.tensor(self.betas), rotations=rotations, transl=torch.tensor(self.trans)
            )

    def save(self, path: str | Path) -> None:
        """Write the npz, in the keys of both kinds of AMASS files; equal clips give equal bytes."""
        ends = np.cumsum([0, *PARTS.values()])
        parts = {key: self.poses[:, a:b] for key, a, b in zip(PARTS, ends[:-1], ends[1:], strict=True)}
        rates = dict.fromkeys(("mocap_frame_rate", "mocap_framerate"), np.array(self.mocap_frame_rate))
        words = {"gender": np.array(self.gender), "surface_model_type": np.array("smplx")}
        arrays = {"poses": self.poses, "trans": self.trans, "betas": self.betas, "expression": self.expression}
        write_npz(path, {**arrays, **parts, **rates, **words}, {**self.header, "schema": SCHEMA})

    @classmethod
    def load(cls, path: str | Path, rate: float | None = None) -> "Clip":
        """Read what ``save`` wrote or any AMASS file; ``rate`` Hz serves where a file says none. Else InputError."""
        fields = read(path, rate)
        try:
            return cls(**fields)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def save_sage(self, path: str | Path) -> None:
        """Write what SAGE's result pickle holds, as npz: poses (N, 66) float32 axis-angle, trans (N, 3) float32."""
        write_npz(path, {"poses": self.poses[:, : 3 * COUNT], "trans": self.trans}, {})


def _checked(name: str, values, shape: tuple[int, ...] | None) -> np.ndarray:
    try:
        array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError(f"clip: {name} are no numbers.") from None
    if array.shape != shape if shape else array.ndim != 1:
        raise InputError(f"clip: {name} are {array.shape}, expected {shape or '(B,)'}.")
    if not np.isfinite(array).all():
        raise InputError(f"clip: {name} hold NaN or infinite numbers; cut those frames out.")
    array.setflags(write=False)
    return array


def _in_metres_and_radians(poses: np.ndarray, trans: np.ndarray) -> None:
    if np.abs(trans).max() > FAR_M:
        far = float(np.abs(trans).max())
        raise InputError(f"clip: trans reaches {far:.0f}, expected metres within {FAR_M:g}; are they millimetres?")
    if np.abs(poses).max() > WILD_RAD:
        raise InputError(
            f"clip: poses reach {np.abs(poses).max():.0f}, expected axis-angle radians; are they degrees?"
        )
