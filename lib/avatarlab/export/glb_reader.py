"""Reads a GLB the way a viewer does, from the bytes alone: accessors, morph targets, node tree, skinning.

The proof of an export is what its file shows, so stage and tests look through this (and the tests at three.js beside).
"""

from pathlib import Path

import numpy as np
import pygltflib
import roma
import torch

_TYPES = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """One file with one skinned mesh, as ``write_glb`` makes it; arrays run over all primitives, one below the other."""

    def __init__(self, path: Path):
        self.gltf = pygltflib.GLTF2().load(path)
        self.blob = self.gltf.binary_blob()
        self.mesh = self.gltf.meshes[0]
        self.names = [node.name for node in self.gltf.nodes]
        self.inverse_binds = self.read(self.gltf.skins[0].inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2)

    @property
    def faces(self) -> np.ndarray:
        """Triangles (F, 3) into the vertices of all primitives."""
        counts = [self.gltf.accessors[p.attributes.POSITION].count for p in self.mesh.primitives]
        starts = np.cumsum([0, *counts])
        parts = zip(self.mesh.primitives, starts, strict=False)
        return np.concatenate([self.read(p.indices).reshape(-1, 3).astype(np.int64) + start for p, start in parts])

    def attribute(self, name: str) -> np.ndarray:
        """Values (N, components) of an attribute such as POSITION."""
        return np.concatenate([self.read(getattr(p.attributes, name)) for p in self.mesh.primitives])

    def morph(self, name: str, attribute: str = "POSITION") -> np.ndarray:
        """Offsets (N, 3) of the morph target ``name``."""
        k = self.mesh.extras["targetNames"].index(name)
        return np.concatenate([self.read(p.targets[k][attribute]) for p in self.mesh.primitives])

    def read(self, number: int) -> np.ndarray:
        """Accessor ``number`` as (count, components), sparse ones filled in."""
        accessor = self.gltf.accessors[number]
        size, dtype = _SIZES[accessor.type], _TYPES[accessor.componentType]
        values = np.zeros((accessor.count, size), dtype)
        if accessor.bufferView is not None:
            values = self._view(accessor.bufferView, dtype, accessor.count * size).reshape(-1, size)
        if accessor.sparse is not None:
            part = accessor.sparse
            rows = self._view(part.indices.bufferView, _TYPES[part.indices.componentType], part.count)
            values[rows] = self._view(part.values.bufferView, dtype, part.count * size).reshape(-1, size)
        return values

    @property
    def times(self) -> np.ndarray:
        """Seconds (T,) of the frames of the file's one animation."""
        return self.read(self.gltf.animations[0].samplers[0].input)[:, 0]

    def keyframe(self, frame: int) -> dict[tuple[int, str], np.ndarray]:
        """(node number, path) -> value of all that the animation moves, in one of its frames."""
        moves = self.gltf.animations[0]
        found = {}
        for channel in moves.channels:
            values = self.read(moves.samplers[channel.sampler].output)
            values = values.reshape(len(self.times), -1)[frame]
            found[channel.target.node, channel.target.path] = values
        return found

    def posed(
        self,
        morphs: dict[str, float] | None = None,
        rotations: dict[str, np.ndarray] | None = None,
        frame: int | None = None,
    ) -> np.ndarray:
        """Vertices (N, 3) in metres as shown, in ``frame`` of the animation if one is given.

        ``morphs``: strengths that replace the file's own; ``rotations``: joint name -> rotation (3,) axis-angle in
        radians that is applied before the joint's own, in its rest axes.
        """
        points = self.attribute("POSITION").astype(np.float64)
        moved = {} if frame is None else self.keyframe(frame)
        strengths = moved.get((0, "weights"), self.mesh.weights or [])
        shown = dict(zip((self.mesh.extras or {}).get("targetNames", []), strengths, strict=False))
        for name, strength in (shown | (morphs or {})).items():
            points = points + strength * self.morph(name) if strength else points
        world = self.world(rotations or {}, frame)
        blend = np.stack([world[j] for j in self.gltf.skins[0].joints]) @ self.inverse_binds
        mixed = np.einsum("nk,nkab->nab", self.attribute("WEIGHTS_0"), blend[self.attribute("JOINTS_0")])
        return np.einsum("nab,nb->na", mixed[:, :3, :3], points) + mixed[:, :3, 3]

    def world(self, rotations: dict[str, np.ndarray], frame: int | None = None) -> dict[int, np.ndarray]:
        """Node number -> matrix (4, 4) to world space."""
        world, moved = {}, {} if frame is None else self.keyframe(frame)

        def walk(number: int, above: np.ndarray) -> None:
            node, local = self.gltf.nodes[number], np.eye(4)
            rotation = moved.get((number, "rotation"), node.rotation or [0, 0, 0, 1])
            own = roma.unitquat_to_rotmat(torch.tensor(rotation).double())
            extra = roma.rotvec_to_rotmat(torch.as_tensor(rotations.get(node.name, np.zeros(3))).double())
            local[:3, :3] = own @ extra
            local[:3, 3] = moved.get((number, "translation"), node.translation or [0, 0, 0])
            world[number] = above @ local
            for child in node.children or []:
                walk(child, world[number])

        for root in self.gltf.scenes[0].nodes:
            walk(root, np.eye(4))
        return world

    def _view(self, number: int, dtype, count: int) -> np.ndarray:
        return np.frombuffer(self.blob, dtype, count, self.gltf.bufferViews[number].byteOffset)
