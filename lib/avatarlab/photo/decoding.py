"""From the bytes a user hands in to one upright sRGB picture, or to one sentence saying why not."""

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pi_heif
from PIL import ExifTags, Image, ImageCms, ImageOps

from avatarlab.core.errors import InputError

FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0}
"""FocalPlaneResolutionUnit codes: inch, centimetre, millimetre (EXIF 2.32, 4.6.5)."""
SANE_FOV_DEG = (8.0, 130.0)


def focal_pixels(image: Image.Image) -> float | None:
    """Return the focal length in pixels from FocalLengthIn35mmFilm, else FocalLength x FocalPlaneXResolution.

    None where EXIF is silent, broken or absurd, or where the picture was cropped after it was taken (its aspect is
    not that of PixelXDimension x PixelYDimension), since the principal point is unknown then.
    """
    try:
        tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
        taken = _taken_size(tags, image.size)
        focal = _from_film(tags, image.size) or _from_sensor(tags, image.size, taken)
        return focal if taken and focal and _is_sane(focal, image.size) else None
    except Exception:  # EXIF is a hint; whatever a broken block raises, the photo is still good
        return None


def _taken_size(tags: dict, size: tuple[int, int]) -> tuple[float, float] | None:
    """Return the size (px) at capture in the picture's own orientation, or None if the aspect has changed."""
    wide, high = tags.get(ExifTags.Base.ExifImageWidth), tags.get(ExifTags.Base.ExifImageHeight)
    if not wide or not high:
        return float(size[0]), float(size[1])
    pair = sorted((float(wide), float(high)), reverse=size[0] >= size[1])
    same = abs(pair[0] / pair[1] * size[1] / size[0] - 1) < 0.02
    return (pair[0], pair[1]) if same else None


def _from_film(tags: dict, size: tuple[int, int]) -> float | None:
    """Return px from the 35 mm equivalent, which CIPA DCG-001 defines by the diagonal."""
    film_mm = float(tags.get(ExifTags.Base.FocalLengthIn35mmFilm) or 0)
    return film_mm / FILM_DIAGONAL_MM * math.hypot(*size) if film_mm > 0 else None


def _from_sensor(tags: dict, size: tuple[int, int], taken: tuple[float, float] | None) -> float | None:
    """Return px from the focal length (mm) and the sensor's pixels per unit, scaled to the present size."""
    focal_mm = float(tags.get(ExifTags.Base.FocalLength) or 0)
    density = float(tags.get(ExifTags.Base.FocalPlaneXResolution) or 0)
    unit_mm = UNIT_MM.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    if not (taken and focal_mm > 0 and density > 0 and unit_mm):
        return None
    return focal_mm * density / unit_mm * max(size) / max(taken)


def _is_sane(focal_px: float, size: tuple[int, int]) -> bool:
    """Tell whether the diagonal field of view is one that cameras have."""
    fov = math.degrees(2 * math.atan(math.hypot(*size) / (2 * focal_px)))
    return SANE_FOV_DEG[0] < fov < SANE_FOV_DEG[1]


FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
WANTED = "give a JPEG, PNG, WebP or HEIC photo"
MAX_PIXELS = 40_000_000
MAX_BYTES = 100_000_000
MIN_SIDE = 96
MAX_ASPECT = 8

pi_heif.register_heif_opener()


@dataclass(frozen=True, eq=False)
class Photo:
    """One upright picture without metadata: rgb uint8 (H, W, 3) sRGB; focal length in pixels if EXIF told it."""

    rgb: np.ndarray
    focal_px: float | None
    name: str


def decode(source: str | Path | bytes, name: str | None = None) -> Photo:
    """Decode a JPEG, PNG, WebP or HEIC file (path or bytes) of at most 40 megapixels.

    EXIF orientation is applied, an embedded colour profile converted to sRGB, transparency laid on white; nothing of
    the metadata survives but the focal length (px). Anything else raises InputError with one sentence. ``name``: how
    sentences call the photo, else by its file's name.
    """
    found, data = ("photo", bytes(source)) if isinstance(source, bytes | bytearray) else _read(source)
    name = name or found
    if not data:
        raise InputError(f"{name}: the file is empty; {WANTED}.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = _open(data, name)
        _check_size(image.size, name)
        _load(image, name)
        focal = focal_pixels(image)
        rgb = _rgb(image, name)
    return Photo(rgb, focal, name)


def _read(source: str | Path) -> tuple[str, bytes]:
    """Return (file name, bytes) of a path, refusing folders, missing and oversized files before reading."""
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{path}: this is a folder, not a file; {WANTED}.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES // 10**6} MB; {WANTED} below that.")
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path of the photo.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path of the photo.") from None


def _open(data: bytes, name: str) -> Image.Image:
    """Open without loading pixels; only the four formats are ever tried, whatever the file is called."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(_too_large(name)) from None
    except Image.UnidentifiedImageError:
        raise InputError(f"{name}: {kind(data)}; {WANTED}.") from None
    except Exception as error:  # decoders raise whatever they like on hostile bytes
        raise InputError(f"{name}: damaged picture ({error}); {WANTED} that other programs can open.") from None


def _too_large(name: str) -> str:
    """Return the sentence for a picture of too many pixels."""
    return f"{name}: more than {MAX_PIXELS // 10**6} megapixels; scale the photo down first."


def _check_size(size: tuple[int, int], name: str) -> None:
    """Refuse by the header's width and height (px), before a pixel is decoded."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(_too_large(name))
    if min(size) < MIN_SIDE:
        raise InputError(
            f"{name}: {width} x {height} pixels are too few to show a person; give at least {MIN_SIDE} a side."
        )
    if max(size) > MAX_ASPECT * min(size):
        raise InputError(f"{name}: {width} x {height} pixels is a strip, not a photo; give the whole photo.")


def _load(image: Image.Image, name: str) -> None:
    """Decode the pixels; a file cut short or damaged is refused, never filled up with grey."""
    try:
        image.load()
    except Exception as error:  # decoders raise whatever they like on hostile bytes
        raise InputError(
            f"{name}: the picture is damaged or cut short ({error}); copy or export the photo again."
        ) from None


def _rgb(image: Image.Image, name: str) -> np.ndarray:
    """Return uint8 (H, W, 3) sRGB, upright."""
    try:
        profile = image.info.get("icc_profile")
        image = ImageOps.exif_transpose(image)
        return np.ascontiguousarray(_flat(_srgb(_eight_bit(image), profile)))
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: mode {image.mode} cannot be shown as RGB ({error}); export as JPEG.") from None


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring 16-bit grey (modes I, I;16) to 8 bits; Pillow's own conversion would clip instead of scale."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, np.uint32) >> 8).clip(0, 255).astype(np.uint8))


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert from the embedded ICC profile to sRGB; a profile that does not fit its picture is ignored."""
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _flat(image: Image.Image) -> np.ndarray:
    """Lay transparency on white and return plain RGB pixels."""
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"), np.uint8)


_SIGNS = (
    (b"GIF8", "this is a GIF"),
    (b"%PDF", "this is a PDF"),
    (b"BM", "this is a BMP"),
    (b"II*\0", "this is a TIFF or raw photo"),
    (b"MM\0*", "this is a TIFF or raw photo"),
    (b"PK\3\4", "this is a ZIP archive"),
    (b"\xff\xd8", "this JPEG is damaged"),
    (b"\x89PNG", "this PNG is damaged"),
    (b"RIFF", "this WebP (or other RIFF file) is damaged"),
)


def kind(data: bytes) -> str:
    """Say in words what unreadable bytes look like, for the error sentence only."""
    head = data[:1024]
    for sign, words in _SIGNS:
        if head.startswith(sign):
            return words
    if head[4:8] == b"ftyp":
        return "this is a video, AVIF or damaged HEIC file"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "this is an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "this is a web page"
    if b"\0" not in head and _is_text(head):
        return "this is a text file"
    return "this is not a picture"


def _is_text(head: bytes) -> bool:
    """Tell whether bytes read as UTF-8, forgiving a character cut at the end."""
    return head.decode("utf-8", errors="ignore").encode("utf-8") in (head, head[:-1], head[:-2], head[:-3])
