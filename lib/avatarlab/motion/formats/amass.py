"""AMASS files: npz of body motion, in the keys of "SMPL+H G" and of SMPL-X "stageii", without pickle ever.

SMPL+H: ``poses`` (N, 156) = root, 21 body joints, hands; rate in ``mocap_framerate``. SMPL-X: ``poses`` (N, 165) with
jaw and eyes before the hands, and the same in parts ``root_orient, pose_body, ...``; rate in ``mocap_frame_rate``.
Sources: files of both kinds and motion.md part 4; (N, 66) is SAGE's result, (N, 72) SMPL's with two stiff hands.
"""

from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz

PARTS = {"root_orient": 3, "pose_body": 63, "pose_jaw": 3, "pose_eye": 6, "pose_hand": 90}
"""Keys of SMPL-X files -> numbers a frame, in the order of ``poses`` (165)."""
RATES = ("mocap_frame_rate", "mocap_framerate")
WIDTH = sum(PARTS.values())
ACTIONS = 52
GENDERS = ("male", "female", "neutral")
FAR_M, WILD_RAD = 100.0, 4 * np.pi
_WANTED = ("poses", "trans", "betas", "expression", *PARTS, *RATES)


def read(path: str | Path, rate: float | None = None) -> dict:
    """The fields of a ``Clip``, by name, of an npz of either kind; ``rate`` Hz serves where the file says none.

    Without poses or rate, with NaN, no frames, shapes that do not fit, or lengths that can be no metres: InputError.
    """
    arrays, header = read_npz(path, _WANTED)
    poses, trans = _poses(arrays, path), arrays.get("trans")
    if trans is None:
        raise InputError(f"{path}: has no trans; an AMASS file with poses and trans was expected.")
    fields = {
        "poses": poses,
        "trans": trans,
        "betas": arrays.get("betas", np.zeros(0)).reshape(-1),
        "gender": gender(path),
        "mocap_frame_rate": _rate(arrays, path, rate),
        "header": {key: value for key, value in header.items() if key != "schema"},
    }
    if arrays.get("expression", np.zeros(0)).shape == (len(poses), ACTIONS):
        fields["expression"] = arrays["expression"]
    return fields


def is_amass(names) -> bool:
    """Whether an npz with these keys has body motion in AMASS form."""
    return "poses" in names or "pose_body" in names


def gender(path: str | Path) -> str:
    """male, female or neutral as an AMASS file says it, in text or bytes; neutral if it does not in plain ones."""
    try:
        said = read_npz(path, ["gender"])[0]["gender"].reshape(-1)
    except (InputError, KeyError):
        return "neutral"
    word = (
        said[0].decode("ascii", "replace") if said.dtype.kind == "S" and len(said) else "".join(map(str, said[:1]))
    )
    word = word.removeprefix("b").strip("'\" ").lower()
    return word if word in GENDERS else "neutral"


def _poses(arrays: dict[str, np.ndarray], path) -> np.ndarray:
    """Poses (N, 165) of whichever keys are there; what a file does not say of jaw, eyes and hands is zero."""
    poses = arrays.get("poses")
    if poses is None and {"root_orient", "pose_body"} <= set(arrays):
        frames = len(arrays["root_orient"])
        parts = {key: arrays.get(key, np.zeros((frames, width))) for key, width in PARTS.items()}
        if odd := [key for key, part in parts.items() if part.shape != (frames, PARTS[key])]:
            raise InputError(f"{path}: {odd[0]} is {parts[odd[0]].shape}, expected {(frames, PARTS[odd[0]])}.")
        poses = np.concatenate([*parts.values()], 1)
    if poses is None:
        raise InputError(f"{path}: has no poses (a shape-only file of AMASS?); a file with motion was expected.")
    if poses.ndim != 2 or poses.shape[1] not in (66, 72, 156, WIDTH):
        raise InputError(f"{path}: poses are {poses.shape}, expected (N, 156), (N, 165), (N, 72) or (N, 66).")
    whole = np.zeros((len(poses), WIDTH), poses.dtype)
    width = poses.shape[1]
    whole[:, :66] = poses[:, :66]
    if width >= 156:
        whole[:, -90:] = poses[:, -90:]
    if width == WIDTH:
        whole[:, 66:75] = poses[:, 66:75]
    return whole


def _rate(arrays: dict[str, np.ndarray], path, rate: float | None) -> float:
    said = next((arrays[key] for key in RATES if key in arrays), None)
    if said is None and rate is None:
        raise InputError(f"{path}: does not say its rate ({' or '.join(RATES)}); give it.")
    try:
        return float(rate if said is None else said.reshape(-1)[0])
    except (TypeError, ValueError, IndexError):
        raise InputError(f"{path}: its rate is no number.") from None
