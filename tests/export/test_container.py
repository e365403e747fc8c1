import json
import struct

import numpy as np
import pytest

from avatarlab.export.container import VERTEX, Pack, write


def test_arrays_are_aligned_and_described():
    pack = Pack()
    pack.dense(np.array([9], np.uint8), VERTEX)
    pack.dense(np.array([[1, 2, 3], [4, 5, 6]], np.float32), VERTEX, bounds=True)
    assert [view["byteOffset"] for view in pack.views] == [0, 4]
    assert pack.views[1] == {"buffer": 0, "byteOffset": 4, "byteLength": 24, "target": 34962}
    assert pack.accessors[1]["min"] == [1, 2, 3] and pack.accessors[1]["max"] == [4, 5, 6]
    assert (pack.accessors[1]["type"], pack.accessors[1]["componentType"]) == ("VEC3", 5126)


def test_matrices_go_out_by_columns():
    pack = Pack()
    pack.dense(np.arange(16, dtype=np.float32).reshape(1, 4, 4))
    assert np.frombuffer(bytes(pack.data), np.float32).tolist()[:5] == [0, 4, 8, 12, 1]


def test_sparse_bounds_include_the_untouched_zeros():
    pack = Pack()
    made = pack.sparse({"POSITION": np.array([[1.0, -2, 3]])}, np.array([7]), count=10)
    accessor = pack.accessors[made["POSITION"]]
    assert (accessor["min"], accessor["max"]) == ([0, -2, 0], [1, 0, 3])
    assert accessor["count"] == 10 and accessor["sparse"]["count"] == 1


def test_sparse_over_all_has_no_zero():
    pack = Pack()
    made = pack.sparse({"POSITION": np.array([[1.0, 2, 3], [2, 2, 2]])}, np.arange(2), count=2)
    assert pack.accessors[made["POSITION"]]["min"] == [1, 2, 2]


def test_zeros_take_no_bytes():
    pack = Pack()
    pack.zeros(5, bounds=True)
    assert not pack.data and pack.accessors[0]["count"] == 5 and pack.accessors[0]["max"] == [0, 0, 0]


def test_file_sizes_and_padding(tmp_path):
    pack = Pack()
    pack.dense(np.array([1, 2, 3], np.uint8))
    size = write(tmp_path / "a.glb", {"asset": {"version": "2.0"}}, pack)
    data = (tmp_path / "a.glb").read_bytes()
    assert size == len(data) == struct.unpack("<I", data[8:12])[0] and size % 4 == 0
    length = struct.unpack("<I", data[12:16])[0]
    assert json.loads(data[20 : 20 + length])["buffers"] == [{"byteLength": 4}]


def test_nan_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path / "a.glb", {"extras": float("nan")}, Pack())
    assert not list(tmp_path.iterdir())
