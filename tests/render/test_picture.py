import numpy as np
import pytest
import torch

from avatarlab.render import as_uint8, contact_sheet
from avatarlab.render.picture import as_float, to_linear, to_srgb


def test_srgb_curve_has_its_known_values_and_its_inverse():
    known = torch.tensor([[0.0, 0.0], [0.04045, 0.0031308], [0.5, 0.2140411], [1.0, 1.0]])
    assert torch.allclose(to_linear(known[:, 0]), known[:, 1], atol=1e-5)
    ramp = torch.linspace(0, 1, 257)
    assert torch.allclose(to_srgb(to_linear(ramp)), ramp, atol=1e-5)


def test_bytes_survive_the_round_trip():
    photo = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(as_uint8(as_float("photo", photo)), photo)
    assert np.array_equal(as_uint8(photo[:, ::-1]), photo[:, ::-1]), "a mirrored view is fine too"


@pytest.mark.parametrize(
    "picture, error, complaint",
    [
        (np.zeros((5, 7)), ValueError, "photo: got shape"),
        (np.full((5, 7, 3), 255.0), ValueError, "photo: floats run 255 to 255, expected 0 to 1"),
        (np.full((5, 7, 3), np.nan), ValueError, "photo: floats run nan"),
        (np.zeros((5, 7, 3), dtype=np.int64), TypeError, "photo: got torch.int64"),
    ],
)
def test_refuses(picture, error, complaint):
    with pytest.raises(error, match=complaint):
        as_float("photo", picture)


def test_sheet_is_a_grid_with_proportions_kept():
    red, wide = np.zeros((40, 40, 3), np.uint8), torch.zeros(20, 80, 3)
    red[..., 0], wide[..., 2] = 255, 1.0
    sheet = contact_sheet([red, wide, red], columns=2, cell_px=50)
    assert sheet.dtype == np.uint8 and sheet.shape == (2 * 54, 2 * 54, 3)
    assert sheet[25, 25].tolist() == [255, 0, 0] and sheet[25, 54 + 25].tolist() == [0, 0, 255]
    assert sheet[5, 54 + 25].tolist() == [255, 255, 255], "a wide picture leaves paper above it"
    assert contact_sheet([red], columns=4, cell_px=50).shape == (54, 54, 3)


def test_captions_are_written_and_cut_to_the_cell():
    plain, white = contact_sheet([np.full((9, 9, 3), 255)[:, :, :].astype(np.uint8)], ["a"]), 255
    assert (plain[:256] == white).all() and (plain[256:] < 128).any()
    blank = np.full((9, 9, 3), 255, np.uint8)
    sheet = contact_sheet([blank, blank], ["word " * 40, ""], cell_px=120)
    inked = np.nonzero((sheet < 128).any((0, 2)))[0]
    assert inked.min() >= 0 and 60 < inked.max() <= 122


def test_sheet_refuses_nothing_and_missing_captions():
    with pytest.raises(ValueError, match="pictures: got none"):
        contact_sheet([])
    with pytest.raises(ValueError, match="captions: got 1 for 2 pictures"):
        contact_sheet([np.zeros((4, 4, 3), np.uint8)] * 2, ["one"])
