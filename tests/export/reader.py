"""Reads a GLB the way a viewer does, independently of the library: accessors, morphs, node tree, skinning."""

from pathlib import Path

import numpy as np
import pygltflib
from scipy.spatial.transform import Rotation

_TYPES = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """One file; ``primitives`` are dicts of numpy arrays by attribute name."""

    def __init__(self, path: Path):
        self.gltf = pygltflib.GLTF2().load(path)
        self.blob = self.gltf.binary_blob()
        self.mesh = self.gltf.meshes[0]
        self.names = [node.name for node in self.gltf.nodes]
        self.inverse_binds = self.read(self.gltf.skins[0].inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2)

    @property
    def triangles(self) -> int:
        return sum(self.gltf.accessors[p.indices].count for p in self.mesh.primitives) // 3

    def attribute(self, name: str) -> np.ndarray:
        """All primitives' values of an attribute, one below the other."""
        return np.concatenate([self.read(getattr(p.attributes, name)) for p in self.mesh.primitives])

    def morph(self, name: str, attribute: str = "POSITION") -> np.ndarray:
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

    def posed(
        self, morphs: dict[str, float] | None = None, turns: dict[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Vertices (N, 3) as shown; ``turns``: joint name -> further rotation (axis-angle) after the file's own."""
        points = self.attribute("POSITION").astype(np.float64)
        for name, strength in (morphs or {}).items():
            points = points + strength * self.morph(name)
        world = self._world(turns or {})
        blend = np.stack([world[j] for j in self.gltf.skins[0].joints]) @ self.inverse_binds
        mixed = np.einsum("nk,nkab->nab", self.attribute("WEIGHTS_0"), blend[self.attribute("JOINTS_0")])
        return np.einsum("nab,nb->na", mixed[:, :3, :3], points) + mixed[:, :3, 3]

    def _world(self, turns: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
        world = {}

        def walk(number: int, above: np.ndarray) -> None:
            node, local = self.gltf.nodes[number], np.eye(4)
            turn = Rotation.from_quat(node.rotation or [0, 0, 0, 1])
            local[:3, :3] = (turn * Rotation.from_rotvec(turns.get(node.name, np.zeros(3)))).as_matrix()
            local[:3, 3] = node.translation or [0, 0, 0]
            world[number] = above @ local
            for child in node.children or []:
                walk(child, world[number])

        for root in self.gltf.scenes[0].nodes:
            walk(root, np.eye(4))
        return world

    def _view(self, number: int, dtype, count: int) -> np.ndarray:
        return np.frombuffer(self.blob, dtype, count, self.gltf.bufferViews[number].byteOffset)
