"""Anny as plain arrays: mesh, 163-bone rig and the blendshapes we use, in SMPL-X axes (y up, facing +z).

Only this package imports anny; every later stage reads the file that ``container`` writes. All arithmetic from here to
the file is in float64: in float32 another BLAS kernel turned the components by up to 25 degrees.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

ANNY_TO_SMPLX = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Anny is z up and faces -y; x stays the body's left."""

PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions", "cupsize")
"""The phenotypes that describe a person here; gender 0 is male, age 2/3 a young adult, firmness and race stay mean."""

LOCAL_CHANGES = (
    *(f"measure-{name}-circ-incr" for name in ("neck", "bust", "underbust", "waist", "hips", "wrist", "upperarm")),
    *(f"measure-{name}-circ-incr" for name in ("thigh", "calf", "ankle", "knee")),
    *(f"measure-{name}-incr" for name in ("shoulder-dist", "upperarm-length", "lowerarm-length")),
    *(f"measure-{name}-incr" for name in ("upperleg-height", "lowerleg-height")),
    *(f"head-scale-{axis}-incr" for axis in ("horiz", "depth", "vert")),
    *(f"torso-{name}-incr" for name in ("scale-horiz", "scale-depth", "scale-vert", "vshape", "muscle-dorsi")),
    *(f"hip-{name}" for name in ("scale-horiz-incr", "scale-depth-incr", "scale-vert-incr", "waist-up")),
    *("stomach-tone-incr", "buttocks-volume-incr", "measure-neck-height-incr"),
    *(f"{limb}-fat-incr" for limb in ("lowerarm", "upperarm", "upperleg", "lowerleg")),
)
"""MakeHuman local changes that the tape measures need, signed; those of limbs act on both sides alike."""


@dataclass(frozen=True)
class AnnySource:
    """Anny in SMPL-X axes, metres, float64; K blendshapes, B bones, V vertices.

    ``coefficients(theta (N, P)) -> (N, K)`` turns phenotypes and local changes, named in ``parameters``, into
    blendshape coefficients; ``actions`` are the indices of the ARKit facial actions among the K.
    """

    vertices: np.ndarray  # (V, 3)
    faces: np.ndarray  # (F, 3)
    uv: np.ndarray  # (T, 2)
    uv_faces: np.ndarray  # (F, 3)
    bones: tuple[str, ...]
    bone_parents: np.ndarray  # (B,)
    heads: np.ndarray  # (B, 3)
    tails: np.ndarray  # (B, 3)
    weights: np.ndarray  # (V, B)
    vertex_shapes: np.ndarray  # (K, V, 3)
    head_shapes: np.ndarray  # (K, B, 3)
    tail_shapes: np.ndarray  # (K, B, 3)
    parameters: tuple[str, ...]
    actions: dict[str, int]
    coefficients: Callable[[torch.Tensor], torch.Tensor]

    def rest(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rest vertices (V, 3), bone heads (B, 3) and tails (B, 3) of blendshape coefficients (K,)."""
        shapes = (self.vertex_shapes, self.head_shapes, self.tail_shapes)
        parts = zip((self.vertices, self.heads, self.tails), shapes, strict=True)
        return tuple(base + np.tensordot(coefficients, shape, 1) for base, shape in parts)

    def reference(self) -> np.ndarray:
        """Return the coefficients (K,) of the reference person: mid gender, young adult, all else mean."""
        theta = torch.zeros(1, len(self.parameters), dtype=torch.float64)
        theta[:, : len(PHENOTYPES)] = 0.5
        theta[:, PHENOTYPES.index("age")] = 2 / 3
        return self.coefficients(theta)[0].numpy()


def anny_model():
    """Return Anny with MakeHuman's full rig; the first call on a machine takes about 20 s, later ones 2 s."""
    import warp

    warp.config.log_level = warp.LOG_ERROR  # no banner and no line per compiled module among the results
    import anny

    return anny.Anny(
        rig="makehuman",
        local_changes="default",
        facial_actions="all",
        phenotypes="all",
        extrapolate_phenotypes=True,
        phenotype_blendshapes="original",
    )


def load(model=None, further: tuple[str, ...] = ()) -> AnnySource:
    """Read Anny (or an ``anny_model()`` already built) into a Source.

    ``further`` names parameters beyond PHENOTYPES and LOCAL_CHANGES: phenotypes or local changes by Anny's names.
    """
    model = model or anny_model()
    parameters = (*PHENOTYPES, *LOCAL_CHANGES, *further)
    rows = _rows(model, parameters)
    labels = [model.blendshape_labels[row].split(":") for row in rows]
    return AnnySource(
        vertices=_turn(model.template_vertices),
        faces=model.get_triangular_faces().numpy(),
        uv=model.texture_coordinates.numpy().astype(np.float32),
        uv_faces=model.face_texture_coordinate_indices.numpy(),
        bones=tuple(model.bone_labels),
        bone_parents=np.array(model.bone_parents),
        heads=_turn(model.template_bone_heads),
        tails=_turn(model.template_bone_tails),
        weights=_dense_weights(model),
        vertex_shapes=_turn(model.blendshapes[rows]),
        head_shapes=_turn(model.bone_heads_blendshapes[rows]),
        tail_shapes=_turn(model.bone_tails_blendshapes[rows]),
        parameters=parameters,
        actions={label: i for i, (kind, label) in enumerate(labels) if kind == "facial_action"},
        coefficients=lambda theta: model_coefficients(model, theta, parameters)[:, rows],
    )


def _turn(points: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(points.double().numpy() @ ANNY_TO_SMPLX.T)


def _dense_weights(model) -> np.ndarray:
    weights = np.zeros((len(model.template_vertices), model.bone_count))
    rows = np.arange(len(weights))[:, None]
    np.add.at(weights, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.double().numpy())
    return weights


def _sides(model, name: str) -> list[int]:
    """Return the indices of one local change, or of its left and right halves."""
    names = [name] if name in model.local_change_labels else [f"l-{name}", f"r-{name}"]
    if missing := set(names) - set(model.local_change_labels):
        raise RuntimeError(f"This version of anny lacks the local changes {sorted(missing)}; install anny 0.6.2.")
    return [model.local_change_labels.index(n) for n in names]


def _local(model, parameters: tuple[str, ...]) -> dict[int, list[int]]:
    """Return which of the parameters are local changes, each with the model's indices that it drives."""
    names = {column: name for column, name in enumerate(parameters) if name not in model.phenotype_labels}
    return {column: _sides(model, name) for column, name in names.items()}


def _rows(model, parameters: tuple[str, ...]) -> list[int]:
    """Return the blendshape rows we keep: all phenotypes and actions, both signs of the chosen local changes."""
    first = next(i for i, label in enumerate(model.blendshape_labels) if label.startswith("local_change:"))
    chosen = {i for sides in _local(model, parameters).values() for i in sides}
    return [*range(first), *sorted(first + 2 * i + sign for i in chosen for sign in (0, 1))]


def model_coefficients(model, theta: torch.Tensor, parameters: tuple[str, ...]) -> torch.Tensor:
    """Return all blendshape coefficients (N, K_all) of Anny for named parameters theta (N, P), differentiable."""
    phenotypes, local = split(model, theta, parameters)
    actions = theta.new_zeros((len(theta), len(model.facial_action_labels)))
    return model._get_phenotype_blendshape_coefficients(phenotypes, local, actions)


def split(model, theta: torch.Tensor, parameters: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Anny's own phenotypes (N, 11) and local changes (N, 254) for named parameters theta (N, P)."""
    phenotypes = theta.new_full((len(theta), len(model.phenotype_labels)), 0.5)
    named = [column for column, name in enumerate(parameters) if name in model.phenotype_labels]
    columns = torch.tensor([model.phenotype_labels.index(parameters[column]) for column in named])
    phenotypes = phenotypes.index_copy(1, columns, theta[:, named])
    spread = theta.new_zeros((len(parameters), len(model.local_change_labels)))
    for column, sides in _local(model, parameters).items():
        spread[column, sides] = 1
    return phenotypes, theta @ spread
