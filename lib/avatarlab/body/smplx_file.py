"""Reading and checking a file of SMPL-X layout; nothing here knows which body it is."""

import hashlib
from pathlib import Path

import numpy as np

from avatarlab.body.layout import BETA_SLOTS, BLOCK_SLOTS, EXPRESSION_SLOTS, JOINT_NAMES, PARENTS, POSE_FEATURES
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz
from avatarlab.core.shapes import expect

J = len(JOINT_NAMES)
REQUIRED = {
    "v_template": ("V", 3),
    "f": ("F", 3),
    "shapedirs": ("V", 3, "S"),
    "posedirs": ("V", 3, POSE_FEATURES),
    "J_regressor": (J, "V"),
    "kintree_table": (2, J),
    "weights": ("V", J),
}
OPTIONAL = {
    "vt": ("T", 2),
    "ft": ("F", 3),
    "part": ("V",),
    **{f"shape_mean_{sex}": ("P",) for sex in ("male", "female")},
    **{f"shape_cov_{sex}": ("P", "P") for sex in ("male", "female")},
}
HEIGHT_M = (0.5, 3.0)


def read(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """Return (checked arrays, header) of the SMPL-X npz at ``path``; anything else raises InputError."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a directory, expected a body file (.npz).")
    if path.suffix.lower() == ".pkl":
        raise InputError(f"{path}: import it first with `python -m avatarlab.body.licensed {path}`.")
    arrays, header = read_npz(path, {*REQUIRED, *OPTIONAL})
    check(arrays, header, str(path))
    return arrays, header


def check(arrays: dict[str, np.ndarray], header: dict, name: str) -> None:
    """Raise InputError, beginning with ``name``, unless ``arrays`` are a finite body of SMPL-X layout in metres."""
    missing = sorted({*REQUIRED} - {*arrays})
    if missing:
        raise InputError(f"{name}: not of SMPL-X layout, {', '.join(missing)} missing.")
    _check_shapes(arrays, name)
    for key in {*REQUIRED, *OPTIONAL} & {*arrays}:
        _check_numbers(key, arrays[key], name)
    if not np.array_equal(_parents(arrays), PARENTS):
        raise InputError(f"{name}: kintree_table is not the joint tree of SMPL-X.")
    _check_indices(arrays, name)
    _check_header(arrays, header, name)
    _check_skin(arrays, name)


def slots(columns: int) -> tuple[int, int]:
    """Number of shapedirs columns -> (shape slots, expression slots): 300 + 100, or 10 + 10 in old files."""
    if columns == BETA_SLOTS + EXPRESSION_SLOTS:
        return BETA_SLOTS, EXPRESSION_SLOTS
    if columns == 20:
        return 10, 10
    raise ValueError(f"shapedirs: got {columns} columns, expected 400 (300 shape, 100 expression) or 20 (10, 10).")


def bases(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """Return the sha256 of each basis of a body file: what coefficients and vertex numbers refer to.

    ``topology`` faces; ``skeleton`` joint regressor and skin weights; each identity block of ``layout.BLOCK_SLOTS`` that has
    components, and ``expression``: topology and components, of ``body`` also the template. A basis that is added
    leaves the others' as they are, so nothing made on them is orphaned.
    """
    shape, expression = np.split(arrays["shapedirs"], [slots(arrays["shapedirs"].shape[2])[0]], axis=2)
    faces = arrays["f"].astype(np.int64)
    parts = {
        "topology": (faces,),
        "skeleton": (arrays["J_regressor"], arrays["weights"]),
        "expression": (faces, _used(expression)),
    }
    for name, (start, stop) in BLOCK_SLOTS.items():
        used = _used(shape[:, :, start:stop])
        if used.shape[2]:
            parts[name] = (faces, used) if name != "body" else (faces, used, arrays["v_template"])
    return {name: _digest(some) for name, some in parts.items()}


def _used(directions: np.ndarray) -> np.ndarray:
    """Return components (V, 3, S) up to the last that moves anything."""
    moving = np.flatnonzero(directions.any(axis=(0, 1)))
    return directions[:, :, : moving[-1] + 1 if len(moving) else 0]


def _digest(arrays: tuple[np.ndarray, ...]) -> str:
    """Return the sha256 of arrays by value: little-endian float32 or int64, whatever type the file has them in."""
    digest = hashlib.sha256()
    for array in arrays:
        kind = "<i8" if array.dtype.kind in "iu" else "<f4"
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array, kind).tobytes())
    return digest.hexdigest()


def _parents(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The tree's first row with its root as -1; files write -1 or 2**32 - 1."""
    parents = arrays["kintree_table"][0].astype(np.int64)
    return np.where(parents == 2**32 - 1, -1, parents)


def _check_shapes(arrays: dict[str, np.ndarray], name: str) -> None:
    sizes = {"V": len(arrays["v_template"]), "F": len(arrays["f"])} if arrays["v_template"].ndim else {}
    try:
        for key, shape in {**REQUIRED, **OPTIONAL}.items():
            if key in arrays:
                expect(key, arrays[key], shape, **sizes)
        slots(arrays["shapedirs"].shape[2])
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None


def _check_numbers(key: str, array: np.ndarray, name: str) -> None:
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: {key} has type {array.dtype}, expected numbers.")
    if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.result_type(array, np.float32))):
        raise InputError(f"{name}: {key} contains NaN or infinity; the file is damaged.")


def _check_indices(arrays: dict[str, np.ndarray], name: str) -> None:
    count = len(arrays["v_template"])
    for key, limit in (("f", count), ("ft", len(arrays.get("vt", ())))):
        if key in arrays and arrays[key].size and not 0 <= arrays[key].min() <= arrays[key].max() < limit:
            raise InputError(f"{name}: {key} names a vertex outside 0 to {limit - 1}.")


def _check_header(arrays: dict[str, np.ndarray], header: dict, name: str) -> None:
    count = len(arrays["v_template"])
    try:
        stray = [k for k, vertex in header.get("landmarks", {}).items() if not 0 <= vertex < count]
        markers = not 0 < header.get("skin_vertices", count) <= count
        unnamed = "part" in arrays and arrays["part"].max(initial=0) >= len(header.get("parts", range(256)))
    except (TypeError, AttributeError):
        raise InputError(f"{name}: landmarks, skin_vertices or parts in the header have the wrong type.") from None
    if stray:
        raise InputError(f"{name}: landmark {stray[0]} is outside the vertices 0 to {count - 1}.")
    if markers:
        raise InputError(f"{name}: skin_vertices is {header['skin_vertices']}, expected 1 to {count}.")
    if unnamed:
        raise InputError(f"{name}: part has labels beyond its {len(header['parts'])} names.")


def _check_skin(arrays: dict[str, np.ndarray], name: str) -> None:
    weights = arrays["weights"]
    if weights.min() < -1e-6 or np.abs(weights.sum(axis=1, dtype=np.float64) - 1).max() > 1e-3:
        raise InputError(f"{name}: weights are not skin weights; each vertex's must be at least 0 and sum to 1.")
    height = np.ptp(arrays["v_template"][:, 1])
    if not HEIGHT_M[0] <= height <= HEIGHT_M[1]:
        raise InputError(f"{name}: the template is {height:g} high along y, expected 0.5 to 3 (metres).")
