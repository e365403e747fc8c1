"""Every guard of the file check fires, with a sentence that names the thing."""

import numpy as np
import pytest

from avatarlab.body import smplx_file
from avatarlab.core.errors import InputError


def changed(array, index, value):
    out = array.copy()
    out[index] = value
    return out


@pytest.mark.parametrize("key", sorted(smplx_file.REQUIRED))
def test_a_missing_key_is_named(made_arrays, key):
    arrays = {name: x for name, x in made_arrays.items() if name != key}
    with pytest.raises(InputError, match=f"it: not of SMPL-X layout, {key} missing"):
        smplx_file.check(arrays, {}, "it")


def test_a_good_file_passes(made_arrays):
    smplx_file.check(made_arrays, {}, "it")
    smplx_file.check({**made_arrays, "kintree_table": made_arrays["kintree_table"].astype(np.int32)}, {}, "it")


ARRAYS = {
    "v_template": (lambda x: x[:, :2], "v_template: got shape"),
    "posedirs": (lambda x: x[:, :, :9], "posedirs: got shape"),
    "weights": (lambda x: x * 2, "weights are not skin weights"),
    "J_regressor": (lambda x: x.T, "J_regressor: got shape"),
    "shapedirs": (lambda x: x[:, :, :30], "shapedirs: got 30 columns"),
    "kintree_table": (lambda x: changed(x, (0, 5), 3), "kintree_table is not the joint tree"),
    "f": (lambda x: changed(x, (7, 1), 10475), "f names a vertex outside 0 to 10474"),
    "ft": (lambda x: x[:5], "ft: got shape"),
}


@pytest.mark.parametrize("key", ARRAYS)
def test_a_wrong_array_is_named(made_arrays, key):
    change, text = ARRAYS[key]
    with pytest.raises(InputError, match=f"it: {text}"):
        smplx_file.check({**made_arrays, key: change(made_arrays[key])}, {}, "it")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("key", ["v_template", "shapedirs", "posedirs", "weights", "J_regressor"])
def test_nan_and_infinity_are_refused(made_arrays, key, value):
    arrays = {**made_arrays, key: made_arrays[key].astype(np.float32)}
    arrays[key].flat[1234] = value
    with pytest.raises(InputError, match=f"it: {key} contains NaN or infinity"):
        smplx_file.check(arrays, {}, "it")


def test_half_precision_is_fine(made_arrays):
    dirs = made_arrays["posedirs"].astype(np.float16)
    smplx_file.check({**made_arrays, "posedirs": dirs}, {}, "it")


def test_text_in_the_place_of_numbers_is_refused(made_arrays):
    with pytest.raises(InputError, match="vt has type <U1"):
        smplx_file.check({**made_arrays, "vt": np.full((11313, 2), "a")}, {}, "it")


def test_negative_weights_are_refused(made_arrays):
    weights = changed(changed(made_arrays["weights"], (0, 0), 1.5), (0, 1), -0.5)
    with pytest.raises(InputError, match="weights are not skin weights"):
        smplx_file.check({**made_arrays, "weights": weights}, {}, "it")


def test_centimetres_are_refused(made_arrays):
    with pytest.raises(InputError, match="expected 0.5 to 3 .metres"):
        smplx_file.check({**made_arrays, "v_template": made_arrays["v_template"] * 100}, {}, "it")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({"landmarks": {"nose": 10475}}, "landmark nose is outside"),
        ({"landmarks": {"nose": "tip"}}, "have the wrong type"),
        ({"landmarks": ["nose"]}, "have the wrong type"),
        ({"skin_vertices": 0}, "skin_vertices is 0"),
        ({"parts": ["all"]}, "part has labels beyond its 1 names"),
    ],
)
def test_a_wrong_header_is_refused(made_arrays, header, text):
    with pytest.raises(InputError, match=f"it: .*{text}"):
        smplx_file.check({**made_arrays, "part": np.ones(10475, np.uint8)}, header, "it")


# ---- bases: what coefficients and vertex numbers refer to


def bases_with(made_arrays, key, index, value):
    return smplx_file.bases({**made_arrays, key: changed(made_arrays[key], index, value)})


@pytest.mark.parametrize(
    ("key", "index", "touched"),
    [
        ("f", (0, 0), {"topology", "expression", "body", "face", "head", "asymmetry"}),
        ("v_template", (5, 1), {"body"}),
        ("weights", (5, 1), {"skeleton"}),
        ("J_regressor", (5, 1), {"skeleton"}),
        ("shapedirs", (9, 0, 3), {"body"}),
        ("shapedirs", (9, 0, 50), {"face"}),
        ("shapedirs", (9, 0, 310), {"expression"}),
        ("posedirs", (9, 0, 50), set()),
        ("shapedirs", (9, 0, 200), set()),  # a slot of no block
    ],
)
def test_a_change_touches_its_own_basis_only(made_arrays, key, index, touched):
    before, after = smplx_file.bases(made_arrays), bases_with(made_arrays, key, index, 7)
    assert {name for name in before if before[name] != after[name]} == touched


def test_a_basis_that_is_added_orphans_nothing(made_arrays):
    shapedirs = made_arrays["shapedirs"].copy()
    shapedirs[:, :, 40:300] = 0
    before = smplx_file.bases({**made_arrays, "shapedirs": shapedirs})
    assert before.keys() == {"topology", "skeleton", "expression", "body"}
    faced = shapedirs.copy()
    faced[:, :, 48:60] = made_arrays["shapedirs"][:, :, 48:60]
    after = smplx_file.bases({**made_arrays, "shapedirs": faced})
    assert after.keys() - before.keys() == {"face"}
    assert all(after[name] == digest for name, digest in before.items())


def test_bases_are_told_by_value_whatever_the_files_types(made_arrays):
    single = {
        k: x.astype(np.float32) if x.dtype.kind == "f" else x.astype(np.int64) for k, x in made_arrays.items()
    }
    assert smplx_file.bases(single) == smplx_file.bases(made_arrays)
