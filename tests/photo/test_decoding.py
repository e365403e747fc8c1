import io
import os

import hostile
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from avatarlab.core.errors import InputError
from avatarlab.photo import decode
from avatarlab.photo.decoding import kind

QUARTERS = hostile.quarters()


def corners(rgb):
    """The colours of the four quarters, (2, 2, 3)."""
    h, w = rgb.shape[:2]
    return rgb[h // 4 :: h // 2, w // 4 :: w // 2][:2, :2].astype(int)


def refusal(source, **options):
    """The one sentence with which ``source`` is refused."""
    with pytest.raises(InputError) as caught:
        decode(source, **options)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 300, text
    return text


@pytest.mark.parametrize("kind_", ["JPEG", "PNG", "WEBP"])
def test_formats_from_bytes_and_path(kind_, tmp_path):
    data = hostile.encoded(kind=kind_)
    path = tmp_path / "photo.bin"  # the name's ending plays no part
    path.write_bytes(data)
    for photo in (decode(data), decode(path), decode(str(path))):
        assert photo.rgb.dtype == np.uint8 and photo.rgb.shape == QUARTERS.shape
        assert np.abs(corners(photo.rgb) - hostile.COLOURS).max() < 12
        assert photo.focal_px is None
    assert decode(path).name == "photo.bin" and decode(data, name="mine").name == "mine"


def test_heic_is_turned_once():
    rgb = decode(hostile.HEIC_TURNED).rgb
    assert rgb.shape == (128, 96, 3)
    assert np.abs(corners(rgb) - np.rot90(hostile.COLOURS, -1)).max() < 12


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    for kind_, off in (("PNG", 0), ("JPEG", 12)):
        rgb = decode(hostile.encoded(kind=kind_, exif=exif)).rgb
        assert np.abs(corners(rgb) - TURNS[orientation](hostile.COLOURS)).max() <= off


def test_absurd_orientation_is_ignored():
    exif = Image.Exif()
    exif[274] = 99
    assert (decode(hostile.encoded(kind="PNG", exif=exif)).rgb == QUARTERS).all()


def test_nothing_of_the_metadata_survives():
    exif = Image.Exif()
    exif.get_ifd(34853)[2] = (52.0, 31.0, 12.0)
    exif[271] = "SecretMaker"
    data = hostile.encoded(exif=exif)
    assert b"SecretMaker" in data
    photo = decode(data)
    assert vars(photo).keys() == {"rgb", "focal_px", "name"}
    again = hostile.encoded(photo.rgb)
    assert b"SecretMaker" not in again and not Image.open(io.BytesIO(again)).getexif()


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "LA", "RGBA", "1", "I;16"])
def test_odd_modes(mode):
    grey = np.arange(128 * 96, dtype=np.uint32).reshape(96, 128) * 65535 // (128 * 96)
    deep = mode == "I;16"
    image = Image.fromarray(grey.astype(np.uint16)) if deep else Image.fromarray(QUARTERS).convert(mode)
    rgb = decode(hostile.encoded(image, "JPEG" if mode == "CMYK" else "PNG")).rgb
    assert rgb.shape == (96, 128, 3) and rgb.dtype == np.uint8
    if deep:
        assert np.abs(rgb[..., 0].astype(int) - (grey >> 8)).max() <= 1
    if mode in ("CMYK", "RGBA"):
        assert np.abs(corners(rgb) - hostile.COLOURS).max() < 12


def test_transparency_lies_on_white():
    clear = np.dstack([QUARTERS, np.zeros(QUARTERS.shape[:2], np.uint8)])
    assert (decode(hostile.encoded(clear, "PNG")).rgb == 255).all()


def test_colour_profile_is_converted_and_a_broken_one_ignored():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for icc in (profile, b"no profile"):
        assert (decode(hostile.encoded(kind="PNG", icc_profile=icc)).rgb == QUARTERS).all()
    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.abs(corners(decode(hostile.encoded(kind="PNG", icc_profile=same)).rgb) - hostile.COLOURS).max() <= 2


def test_multi_picture_jpeg_of_phones_opens():
    image = Image.fromarray(QUARTERS)
    assert decode(hostile.encoded(image, "MPO", save_all=True, append_images=[image])).rgb.shape == QUARTERS.shape


@pytest.mark.parametrize("size", [(8000, 5200), (12000, 12000), (30000, 30000)])
def test_more_than_40_megapixels_are_refused_before_loading(size, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("a pixel was decoded"))
    assert "40 megapixels" in refusal(hostile.png_bomb(*size))


def test_text_bomb_is_refused():
    data = hostile.text_bomb()
    assert len(data) < 200_000
    assert "damaged" in refusal(data)


@pytest.mark.parametrize("kind_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_cut_short(kind_, share):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    data = hostile.encoded(noise, kind_)
    assert "damaged" in refusal(data[: int(share * len(data))])


def test_cut_short_heic():
    assert "damaged" in refusal(hostile.HEIC_TURNED[:450])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"just some words about a photo", "text file"),
        ("Fotografía, à moitié".encode(), "text file"),
        (b"  <!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\0\0\0\x18ftypmp42....", "video"),
        (b"\0\1\2\3\4\5\6\7\xfe\xff" * 9, "not a picture"),
        (b"\xff\xd8\xff", "JPEG is damaged"),
    ],
)
def test_other_things_are_named(data, words):
    assert words in refusal(data, name="a.jpg")


@pytest.mark.parametrize(("kind_", "words"), [("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF")])
def test_other_picture_formats_are_refused_though_pillow_reads_them(kind_, words):
    assert words in refusal(hostile.encoded(kind=kind_))


def test_html_named_jpg(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text("<html></html>")
    assert refusal(path).startswith("photo.jpg: this is a web page")


def test_missing_folder_unreadable_and_huge_files(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.jpg")
    assert "folder" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "a\0b.jpg")
    huge = tmp_path / "huge.jpg"
    with open(huge, "wb") as file:
        os.truncate(file.fileno(), 2 * 10**9)  # sparse: takes no room
    assert "100 MB" in refusal(huge)


def test_tiny_and_strip():
    assert "too few" in refusal(hostile.encoded(QUARTERS[:40, :60]))
    assert "strip" in refusal(hostile.encoded(np.zeros((100, 1200, 3), np.uint8)))


def test_kind_of_a_broken_character_at_the_end():
    assert kind(("x" * 1023 + "é").encode()) == "this is a text file"
