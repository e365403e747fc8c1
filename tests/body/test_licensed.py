"""Licensed files in every form they come in are imported; whatever else they might do, they do not."""

import os
import pickle
import re
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from avatarlab.body import Body, licensed
from avatarlab.core.errors import InputError

SMALL = {
    "a": np.arange(12.0).reshape(3, 4),
    "f": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "big": np.arange(5, dtype=">i4"),
    "u": np.array([[2**32 - 1, 0]], dtype=np.uint32),
    "b": np.array([True, False]),
    "e": np.zeros((0, 3)),
}


def write(tmp_path, value, protocol=2):
    path = tmp_path / "m.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


def python2(array, text=False):
    """An array as Python 2's numpy pickled it: raw bytes in a plain string (binary or as a quoted line)."""

    def string(raw):
        return b"S" + repr(raw)[1:].encode() + b"\n" if text else b"T" + len(raw).to_bytes(4, "little") + raw

    def number(k):
        return b"I%d\n" % k

    dtype = b"cnumpy\ndtype\n(" + string(array.dtype.str[1:].encode()) + b"I0\nI1\ntR("
    dtype += number(3) + string(b"<") + b"NNNI-1\nI-1\nI0\ntb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt" + string(b"b") + b"tR("
    shape = b"(" + b"".join(map(number, array.shape)) + b"t"
    return start + number(1) + shape + dtype + b"I00\n" + string(array.tobytes()) + b"tb"


@pytest.fixture
def chumpy(monkeypatch):
    """A class that pickles as chumpy.ch.Ch does; it exists while writing only."""
    module = types.ModuleType("chumpy.ch")
    module.Ch = type("Ch", (), {"__module__": "chumpy.ch", "__qualname__": "Ch"})
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)

    def wrap(array):
        value = module.Ch()
        value.__dict__.update({"x": array, "_itr": 3, "_dirty_vars": set()})
        return value

    return wrap


@pytest.mark.parametrize("protocol", range(6))
def test_numpy_arrays_of_every_protocol(tmp_path, protocol):
    back = licensed.read_pickle(write(tmp_path, {**SMALL, "gone": 1}, protocol), (*SMALL, "absent"))
    assert back.keys() == SMALL.keys()
    for name, array in SMALL.items():
        assert np.array_equal(back[name], array) and back[name].shape == array.shape
        assert back[name].dtype == array.dtype


@pytest.mark.parametrize("text", [False, True])
def test_numpy_arrays_of_python_2(tmp_path, text):
    array = np.random.default_rng(7).normal(size=(7, 5))
    content = b"(S'a'\n" + python2(array, text) + b"d."
    assert np.array_equal(licensed.read_pickle(write(tmp_path, content), ("a",))["a"], array)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_chumpy_arrays_without_chumpy(tmp_path, chumpy, monkeypatch, protocol):
    path = write(tmp_path, {"a": chumpy(SMALL["a"]), "n": chumpy(chumpy(SMALL["f"]))}, protocol)
    monkeypatch.undo()
    assert "chumpy" not in sys.modules
    back = licensed.read_pickle(path, ("a", "n"))
    assert np.array_equal(back["a"], SMALL["a"]) and np.array_equal(back["n"], SMALL["f"])


@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
def test_sparse_matrices_become_dense(tmp_path, kind):
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.random(9, 14, 0.3, format=kind, random_state=7)
    back = licensed.read_pickle(write(tmp_path, {"m": matrix}), ("m",))["m"]
    assert np.array_equal(back, matrix.toarray())


def light(made_arrays):
    """The made file with few directions, so that it is written and packed in a moment."""
    posedirs = made_arrays["posedirs"].astype(np.float32)
    posedirs[:, :, 9:] = 0
    return {**made_arrays, "shapedirs": made_arrays["shapedirs"][:, :, :20].copy(), "posedirs": posedirs}


@pytest.fixture(scope="module")
def whole(made_arrays):
    return light(made_arrays)


def same_body(path, arrays):
    body, expected = Body.load(path), Body(arrays)
    pose, betas = torch.full((55, 3), 0.2), torch.ones(10)
    return torch.equal(body(betas, pose).vertices, expected(betas, pose).vertices)


def test_a_pickled_smplx_file_is_imported_by_the_command(tmp_path, whole, chumpy, monkeypatch, caplog):
    sparse = pytest.importorskip("scipy.sparse")
    names = np.array([{"Pelvis": 0}], dtype=object)
    odd = {"J_regressor": sparse.csc_matrix(whole["J_regressor"]), "shapedirs": chumpy(whole["shapedirs"])}
    path = tmp_path / "SMPLX_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps({**whole, **odd, "joint2num": names}, 2))
    monkeypatch.undo()
    caplog.set_level("INFO")
    licensed.main([str(path), "--folder", str(tmp_path / "licensed")])
    assert "SMPLX_NEUTRAL.npz: imported" in caplog.text
    assert same_body(tmp_path / "licensed" / "SMPLX_NEUTRAL.npz", whole)


def test_an_npz_with_objects_beside_the_arrays_is_imported(tmp_path, whole):
    path = tmp_path / "neutral.npz"
    np.savez(path, **whole, joint2num=np.array({"Pelvis": 0}, dtype=object))
    out = licensed.import_file(path, tmp_path / "licensed")
    assert out.name == "smplx_neutral.npz" and same_body(out, whole)
    with np.load(out, allow_pickle=False) as npz:
        assert "joint2num" not in npz.files and "hands_meanl" in npz.files


def test_the_imported_file_serves_the_smplx_package(tmp_path, whole):
    smplx = pytest.importorskip("smplx")
    np.savez(tmp_path / "smplx_m.npz", **whole)
    out = licensed.import_file(tmp_path / "smplx_m.npz", tmp_path / "licensed")
    package = smplx.create(str(out), model_type="smplx", use_pca=False, flat_hand_mean=True)
    assert torch.allclose(package().vertices[0], Body.load(out)().vertices, atol=1e-5)


# ---- hostile files


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_a_hostile_pickle_is_refused_by_name_through_the_command(tmp_path):
    marker = tmp_path / "ran"
    path = write(tmp_path, {"v_template": Calls(os.system, f"touch {marker}")})
    command = [sys.executable, "-m", "avatarlab.body.licensed", str(path), "--folder", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and not marker.exists() and not (tmp_path / "out").exists()
    assert done.stderr.count("\n") == 1 and re.search("asks for '(posix|nt).system'", done.stderr)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.core.multiarray", "_reconstruct.__globals__"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "apply"),
        ("_codecs", "lookup"),
        ("collections", "namedtuple"),
        ("scipy.sparse", "load_npz"),
        ("chumpyx", "Ch"),
    ],
)
def test_neighbours_of_known_names_are_refused(tmp_path, module, name):
    text = [b"\x8c" + bytes([len(x)]) + x.encode() for x in (module, name)]
    with pytest.raises(InputError, match=re.escape(f"asks for '{module}.{name}'")):
        licensed.read_pickle(write(tmp_path, b"\x80\x04" + b"".join(text) + b"\x93."), ("a",))


def test_known_names_do_nothing_either(tmp_path):
    """Calls of allowed names with hostile arguments: recorded, and then not an array."""
    for content in (
        b"cchumpy.os\nsystem\n(S'true'\ntR",
        b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR",
        b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nobject\n(I0\nt)tR",
        b"ccopyreg\n_reconstructor\n(I5\nNNtR",
        b"c_codecs\nencode\n(S'a'\nS'zip'\ntR",
        b"ccollections\nOrderedDict\n)R",
        b"I5\n",
    ):
        with pytest.raises(InputError, match="m.pkl: not a dict of arrays as numpy writes them"):
            licensed.read_pickle(write(tmp_path, b"(S'a'\n" + content + b"d."), ("a",))


def array_with(shape=b"(I2\nt", dtype=b"f8", state=b"(I3\nS'<'\nNNNI-1\nI-1\nI0\nt", raw=b"S'0123456789abcdef'\n"):
    kind = b"cnumpy\ndtype\n(S'" + dtype + b"'\nI0\nI1\ntR" + state + b"b"
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n"
    return head + shape + kind + b"I00\n" + raw + b"tb"


def test_the_array_that_the_next_test_damages_is_good(tmp_path):
    path = write(tmp_path, b"(S'a'\n" + array_with() + b"d.")
    assert licensed.read_pickle(path, ("a",))["a"].tobytes() == b"0123456789abcdef"


@pytest.mark.parametrize(
    "damage",
    [
        {"shape": b"(I1099511627776\nt"},
        {"shape": b"(I-2\nI-1\nt"},
        {"shape": b"(I01\nI2\nt"},
        {"shape": b"(" + b"I1\n" * 40 + b"I2\nt"},
        {"shape": b"I2\n"},
        {"dtype": b"O8"},
        {"dtype": b"V8"},
        {"dtype": b"f8,f8"},
        {"dtype": b"f1"},
        {"raw": b"S'0123'\n"},
        {"raw": b"(lI1\na"},
        {"raw": b"I16\n"},
    ],
)
def test_shape_bombs_objects_and_missing_bytes_are_refused(tmp_path, damage):
    path = write(tmp_path, b"(S'a'\n" + array_with(**damage) + b"d.")
    with pytest.raises(InputError, match="not a dict of arrays as numpy writes them"):
        licensed.read_pickle(path, ("a",))


def test_an_array_that_contains_itself_is_refused(tmp_path):
    content = b"(S'a'\ncchumpy.ch\nCh\n)\x81p1\n(S'x'\ng1\ndbd."
    with pytest.raises(InputError, match="not a dict of arrays as numpy writes them"):
        licensed.read_pickle(write(tmp_path, content), ("a",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_shape", (2**40, 2**40)),
        ("_shape", ("a", 2**40)),
        ("_shape", (-1, -1)),
        ("indptr", np.array([0, 2**40])),
        ("indptr", np.array([5, 0])),
        ("indices", np.array([99])),
        ("indices", np.array([-1])),
        ("indices", np.array([0.5])),
        ("data", np.ones(7)),
        ("data", "text"),
    ],
)
def test_sparse_bombs_are_refused(tmp_path, name, value):
    state = {"_shape": (3, 1), "indptr": np.array([0, 1]), "indices": np.array([0]), "data": np.array([1.0])}
    sparse = pytest.importorskip("scipy.sparse")
    for changes, good in (({}, True), ({name: value}, False)):
        matrix = sparse.csc_matrix.__new__(sparse.csc_matrix)
        matrix.__dict__.update({**state, **changes})
        path = write(tmp_path, {"m": matrix})
        if good:
            assert licensed.read_pickle(path, ("m",))["m"].tolist() == [[1], [0], [0]]
        else:
            with pytest.raises(InputError, match="not a dict of arrays as numpy writes them"):
                licensed.read_pickle(path, ("m",))


def test_wrong_files_are_refused_in_one_sentence(tmp_path, whole):
    cases = {
        "none.npz": "no such file",
        "none.pkl": "no such file",
        "body.obj": "expected a licensed SMPL-X file",
        "text.npz": "not a readable npz",
        "text.pkl": "not a whole pickle",
        "list.pkl": "got list, expected a dict",
        "short.pkl": "not of SMPL-X layout, J_regressor",
    }
    for name in ("text.npz", "text.pkl"):
        (tmp_path / name).write_text("text, no model")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1]))
    (tmp_path / "short.pkl").write_bytes(pickle.dumps({"v_template": whole["v_template"]}))
    for name, text in cases.items():
        with pytest.raises(SystemExit, match=text) as end:
            licensed.main([str(tmp_path / name), "--folder", str(tmp_path / "out")])
        assert "\n" not in str(end.value) and name in str(end.value)
    assert not (tmp_path / "out").exists()


def test_an_object_array_in_a_needed_place_is_refused(tmp_path, whole):
    np.savez(tmp_path / "smplx_o.npz", **{**whole, "v_template": np.array([Calls(os.system, "false")])})
    with pytest.raises(InputError, match="not a readable npz of plain arrays"):
        licensed.import_file(tmp_path / "smplx_o.npz", tmp_path / "out")
