"""From the bytes a user hands in to one upright sRGB picture, or to one sentence saying why not."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pi_heif
from PIL import Image, ImageCms, ImageOps

from avatarlab.core.errors import InputError
from avatarlab.photo.exif import focal_pixels

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
