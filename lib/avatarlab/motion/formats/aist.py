"""AIST++ dance motion: converted to npz; its pickles are refused, because opening one runs what it says.

Keys as in the pickles: smpl_poses (N, 72) rad, smpl_trans (N, 3), smpl_scaling (1,), 60 frames a second, y up; a place in
metres is smpl_trans / smpl_scaling. Source: the AIST++ API's notes (facts).
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz

RATE_HZ = 60.0
KEYS = ("smpl_poses", "smpl_trans", "smpl_scaling")
PELVIS = (0.0, -0.22, 0.03)
"""About where SMPL's pelvis is at rest, in metres; it sets the height only, which the floor's removal mends."""
CONVERT = (
    "python -c \"import pickle, numpy, sys; numpy.savez(sys.argv[2], **pickle.load(open(sys.argv[1], 'rb')))\" "
    "motion.pkl motion.npz"
)
"""The one line, for files whose sender one trusts."""


def refuse(path: str | Path) -> None:
    """Raise the InputError that a pickle earns."""
    raise InputError(
        f"{path}: is a pickle, which could run anything; if you trust its sender, convert it once with: {CONVERT}"
    )


def read(path: str | Path) -> dict:
    """The fields of a ``Clip``, by name, of a converted file: z up, metres, hands at rest. Else InputError."""
    arrays, _ = read_npz(path, KEYS)
    if missing := [key for key in KEYS if key not in arrays]:
        raise InputError(f"{path}: has no {missing[0]}; a converted AIST++ file has {', '.join(KEYS)}.")
    poses, trans = arrays["smpl_poses"], arrays["smpl_trans"]
    scale = float(arrays["smpl_scaling"].reshape(-1)[0])
    if poses.ndim != 2 or poses.shape[1] != 72 or trans.shape != (len(poses), 3) or not len(poses):
        raise InputError(
            f"{path}: has poses {poses.shape}, trans {trans.shape}, expected (N, 72), (N, 3), N above 0."
        )
    if not (np.isfinite(scale) and scale > 0 and np.isfinite(poses).all()):
        raise InputError(
            f"{path}: its scaling is {scale} or its poses hold NaN, expected numbers, scaling above 0."
        )
    upright = Rotation.from_euler("x", 90, degrees=True)
    whole = np.zeros((len(poses), 165))
    whole[:, :66] = poses[:, :66]
    whole[:, :3] = (upright * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    positions = upright.apply(trans / scale + np.array(PELVIS)) - np.array(PELVIS)
    return {"poses": whole, "trans": positions, "mocap_frame_rate": RATE_HZ}
