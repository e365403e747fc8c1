"""Import of licensed model files (SMPL-X as .npz or .pkl) into a plain npz that ``Body.load`` finds.

    python -m avatarlab.body.licensed SMPLX_NEUTRAL.pkl      ->  models/licensed/SMPLX_NEUTRAL.npz

A .pkl is read by ``inert_pickle``, which runs nothing; the arrays are then rebuilt here from the raw bytes that numpy,
scipy.sparse and chumpy had written, none of which is imported for it. An .npz is read key by key without pickle.
"""

import argparse
import logging
import math
import re
from pathlib import Path

import numpy as np

from avatarlab.body import inert_pickle, smplx_file
from avatarlab.body.inert_pickle import Global, InertObject
from avatarlab.body.model import LICENSED
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, sha256, write_npz

log = logging.getLogger(__name__)

SMPLX_KEYS = (
    *smplx_file.REQUIRED,
    *("vt", "ft", "lmk_faces_idx", "lmk_bary_coords", "dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords"),
    *(f"hands_{what}{side}" for what in ("mean", "components") for side in "lr"),
)
"""What is taken over: what ``Body`` reads and what the smplx package needs; everything else is left behind."""

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_KNOWN = {
    *((module, name) for module in _MULTIARRAY for name in ("_reconstruct", "scalar")),
    *((module, "_frombuffer") for module in _NUMERIC),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    *((f"scipy.sparse.{dot}{kind}", f"{kind}_matrix") for dot in ("", "_") for kind in ("csc", "csr", "coo")),
    *((module, name) for module in ("copy_reg", "copyreg") for name in ("_reconstructor", "__newobj__")),
    *(
        (module, name)
        for module in ("__builtin__", "builtins")
        for name in ("object", "bytes", "set", "frozenset")
    ),
    *(("_codecs", "encode"), ("collections", "OrderedDict")),
}
_NUMBERS = re.compile(r"[fiu][1248]|b1")
_DENSE_LIMIT = 2**26
_NESTED_LIMIT = 8


def import_file(path: str | Path, folder: str | Path = LICENSED) -> Path:
    """Write the licensed SMPL-X file at ``path`` as a safe npz into ``folder`` and return where it is."""
    path = Path(path)
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise InputError(f"{path}: expected a licensed SMPL-X file, .npz or .pkl.")
    arrays = read_pickle(path, SMPLX_KEYS) if path.suffix.lower() == ".pkl" else read_npz(path, SMPLX_KEYS)[0]
    smplx_file.check(arrays, {}, str(path))
    arrays = {key: x.astype(np.float32 if x.dtype.kind == "f" else np.int64) for key, x in arrays.items()}
    name = path.stem if path.stem.lower().startswith("smplx") else f"smplx_{path.stem}"
    out = Path(folder) / f"{name}.npz"
    header = {"schema": "avatarlab.body/1", "units": "metres", "licences": "those the source file came with"}
    write_npz(out, arrays, {**header, "sources": {path.name: sha256(path)}})
    return out


def read_pickle(path: str | Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the arrays called ``keys`` (those present) of a pickled dict of numpy, scipy.sparse or chumpy arrays."""
    content = inert_pickle.read(path, known)
    try:
        content = _items(content)
        return {key: _array(content[key]) for key in keys if key in content}
    except (InputError, *inert_pickle.DAMAGED, AttributeError) as error:
        raise InputError(f"{path}: not a dict of arrays as numpy writes them ({error}).") from None


def known(module: str, name: str) -> bool:
    """Whether files of this kind mention the class; chumpy's are all alike here: a place where a state lies."""
    return (module, name) in _KNOWN or module == "chumpy" or module.startswith("chumpy.")


def _items(value) -> dict:
    """The dict at the top of the file, or an OrderedDict, with its keys as text."""
    if isinstance(value, InertObject):
        value = value.items
    if type(value) is not dict:
        raise InputError(f"got {type(value).__name__}, expected a dict")
    return {key.decode("latin1") if isinstance(key, bytes) else key: x for key, x in value.items()}


def _array(value) -> np.ndarray:
    """A recorded array of any known kind -> the array (a view of the bytes where possible)."""
    for _ in range(_NESTED_LIMIT):
        if not isinstance(value, InertObject):
            raise InputError(f"got {type(value).__name__}, expected an array")
        if not _class(value).module.startswith("chumpy"):
            break
        value = _items(value.state)["x"]
    kind = _class(value).name
    if kind == "_reconstruct":
        shape, dtype, fortran, raw = value.state[-4:]
        return _from_bytes(raw, dtype, shape, "F" if fortran else "C")
    if kind == "_frombuffer":
        return _from_bytes(*value.args)
    if kind in ("csc_matrix", "csr_matrix", "coo_matrix"):
        return _dense(kind, _items(value.state))
    raise InputError(f"got {str(_class(value))[:80]!r}, expected an array")


def _class(value: InertObject) -> Global:
    """The class a record is of, through the three ways that copyreg has of making one."""
    if value.maker.name in ("_reconstructor", "__newobj__"):
        value = InertObject(value.args[0], value.args[1:])
    if not isinstance(value.maker, Global):
        raise InputError("the class of an object is no name")
    return value.maker


def _from_bytes(raw, dtype, shape, order) -> np.ndarray:
    """raw bytes, recorded dtype, shape, order -> the array; the bytes must be all there, so no shape allocates."""
    raw, dtype = _bytes(raw), _dtype(dtype)
    if len(shape) > _NESTED_LIMIT or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
        raise InputError("a shape that is none")
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise InputError(f"{len(raw)} bytes for shape {tuple(shape)} of {dtype}")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if order in ("F", b"F") else "C")


def _bytes(raw) -> bytes:
    """Bytes, or one of the ways in which older protocols wrote them."""
    if isinstance(raw, InertObject) and raw.maker.name in ("encode", "bytes"):
        raw = raw.args[0] if raw.args else b""
    if not isinstance(raw, (str, bytes)):
        raise InputError(f"got {type(raw).__name__}, expected bytes")
    return raw.encode("latin1") if isinstance(raw, str) else raw


def _text(value) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _dtype(value: InertObject) -> np.dtype:
    """A recorded numpy dtype of plain numbers; objects, records and dates are refused."""
    code = _text(value.args[0])
    if str(value.maker) != "numpy.dtype" or not _NUMBERS.fullmatch(code):
        raise InputError(f"type {code[:20]!r}, expected plain numbers")
    order = _text(value.state[1]) if value.state else "="
    return np.dtype(code).newbyteorder({">": ">", "<": "<"}.get(order, "="))


def _dense(kind: str, state: dict) -> np.ndarray:
    """State of a scipy.sparse matrix -> dense (rows, columns) float64; repeated entries add up."""
    rows, columns = map(_whole, state.get("_shape", state.get("shape")))
    if min(rows, columns) < 0 or rows * columns > _DENSE_LIMIT:
        raise InputError(f"a sparse matrix of {rows} x {columns}")
    if kind == "coo_matrix":
        row, column = map(_array, state.get("coords", (state.get("row"), state.get("col"))))
    else:
        major, minor = _major(_array(state["indptr"])), _array(state["indices"])
        row, column = (minor, major) if kind == "csc_matrix" else (major, minor)
    if len(row) and (min(row.min(), column.min()) < 0 or row.max() >= rows or column.max() >= columns):
        raise InputError("a sparse entry outside its matrix")
    dense = np.zeros((rows, columns))
    np.add.at(dense, (row, column), _array(state["data"]))
    return dense


def _major(starts: np.ndarray) -> np.ndarray:
    """Where each row (or column) of a compressed matrix starts -> the row of each entry."""
    counts = np.diff(starts.astype(np.int64))
    if counts.min(initial=0) < 0 or counts.sum() > _DENSE_LIMIT:
        raise InputError("a sparse matrix whose rows overlap")
    return np.repeat(np.arange(len(counts)), counts)


def _whole(value) -> int:
    """A size, written as an int or as a numpy scalar."""
    if isinstance(value, InertObject) and value.maker.name == "scalar":
        dtype, raw = value.args
        value = int(_from_bytes(raw, dtype, (), "C"))
    if type(value) is not int:
        raise InputError(f"a size of type {type(value).__name__}")
    return value


def main(argv: list[str] | None = None) -> None:
    """Command line: import one file, log the path of the result; trouble is one sentence and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m avatarlab.body.licensed", description=import_file.__doc__)
    parser.add_argument("file", type=Path, help="licensed SMPL-X file, .npz or .pkl")
    parser.add_argument("--folder", type=Path, default=LICENSED, help="where the npz goes (default: %(default)s)")
    given = parser.parse_args(argv)
    try:
        out = import_file(given.file, given.folder)
    except (InputError, OSError) as error:
        raise SystemExit(str(error)) from None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("%s: imported; Body.load() uses it from now on.", out)


if __name__ == "__main__":
    main()
