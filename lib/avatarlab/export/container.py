"""The GLB container: typed arrays packed into one buffer, accessors over them, and the two-chunk file.

Source: glTF 2.0 specification, sections 3.6 (binary data) and 4 (GLB).
"""

import json
import struct
from pathlib import Path

import numpy as np

from avatarlab.core.files import whole

VERTEX, INDEX = 34962, 34963
"""Buffer view targets ARRAY_BUFFER and ELEMENT_ARRAY_BUFFER."""

_COMPONENT = {
    np.dtype("uint8"): 5121,
    np.dtype("uint16"): 5123,
    np.dtype("uint32"): 5125,
    np.dtype("float32"): 5126,
}
_SHAPE = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


class Pack:
    """Arrays on their way into a GLB; every method returns the number glTF refers to them by."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict] = []
        self.accessors: list[dict] = []

    def view(self, array: np.ndarray, target: int | None = None) -> int:
        """Append the bytes of ``array``, aligned to 4, and return its buffer view."""
        self.data.extend(b"\0" * (-len(self.data) % 4))
        raw = np.ascontiguousarray(array).tobytes()
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data.extend(raw)
        return len(self.views) - 1

    def dense(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Return an accessor of ``array`` (N, ...) uint8, uint16, uint32 or float32; matrices (N, 4, 4) by columns."""
        shape = array.shape[1:]
        raw = array.swapaxes(1, 2) if len(shape) == 2 else array
        accessor = {"bufferView": self.view(raw, target), **_describe(array.dtype, shape, len(array))}
        self.accessors.append({**accessor, **(_bounds(array) if bounds else {})})
        return len(self.accessors) - 1

    def zeros(self, count: int, bounds: bool = False) -> int:
        """Return an accessor of ``count`` float vectors that are all zero and take no bytes."""
        zero = np.zeros((1, 3), dtype=np.float32)
        accessor = _describe(zero.dtype, (3,), count) | (_bounds(zero) if bounds else {})
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def sparse(self, arrays: dict[str, np.ndarray], changed: np.ndarray, count: int) -> dict[str, int]:
        """Return accessors by name of ``count`` float vectors, zero but at ``changed`` (M,), where ``arrays`` (M, 3) hold.

        The arrays share one list of indices.
        """
        indices = {"bufferView": self.view(changed.astype(np.uint16)), "componentType": 5123}
        made = {}
        for name, array in arrays.items():
            values = array.astype(np.float32)
            part = {"count": len(changed), "indices": indices, "values": {"bufferView": self.view(values)}}
            within = _bounds(np.concatenate([values, np.zeros((int(len(changed) < count), 3), np.float32)]))
            self.accessors.append({**_describe(values.dtype, (3,), count), "sparse": part, **within})
            made[name] = len(self.accessors) - 1
        return made


def write(path: str | Path, document: dict, pack: Pack) -> int:
    """Write ``document`` (glTF without its data members) and the packed arrays as GLB; return the number of bytes."""
    pack.data.extend(b"\0" * (-len(pack.data) % 4))
    full = {
        **document,
        "accessors": pack.accessors,
        "bufferViews": pack.views,
        "buffers": [{"byteLength": len(pack.data)}],
    }
    text = json.dumps(full, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(pack.data)
    with whole(path) as part:
        chunks = struct.pack("<4sII", b"glTF", 2, size), struct.pack("<I4s", len(text), b"JSON"), text
        part.write_bytes(b"".join((*chunks, struct.pack("<I4s", len(pack.data), b"BIN\0"), pack.data)))
    return size


def _describe(dtype: np.dtype, shape: tuple, count: int) -> dict:
    return {"componentType": _COMPONENT[dtype], "type": _SHAPE[shape], "count": count}


def _bounds(array: np.ndarray) -> dict:
    rows = array.reshape(len(array), -1)
    return {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
