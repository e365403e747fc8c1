"""The one thing kept of a photo's EXIF block: the focal length, in pixels of the picture as it is."""

import math

from PIL import ExifTags, Image

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
