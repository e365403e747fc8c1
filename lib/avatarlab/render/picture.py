"""Pictures as numbers: sRGB and linear light, bytes, and sheets of captioned pictures."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from avatarlab.core.shapes import expect

PAPER = (255, 255, 255)
INK = (40, 40, 45)


def to_linear(srgb: Tensor) -> Tensor:
    """sRGB 0..1 (...) -> linear light 0..1 (...). Source: IEC 61966-2-1."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Tensor) -> Tensor:
    """Linear light 0..1 (...) -> sRGB 0..1 (...). Source: IEC 61966-2-1."""
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curved)


def as_float(name: str, picture) -> Tensor:
    """A picture (H, W, 3), bytes 0..255 or floats 0..1, array or tensor -> float32 tensor 0..1."""
    tensor = torch.as_tensor(np.ascontiguousarray(picture) if isinstance(picture, np.ndarray) else picture)
    expect(name, tensor, ("H", "W", 3))
    if tensor.dtype == torch.uint8:
        return tensor.float() / 255
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: got {tensor.dtype}, expected uint8 (0 to 255) or floating point (0 to 1).")
    if not (tensor.min() >= -0.01 and tensor.max() <= 1.01):
        raise ValueError(f"{name}: floats run {tensor.min():g} to {tensor.max():g}, expected 0 to 1.")
    return tensor.float().clamp(0, 1)


def as_uint8(picture) -> np.ndarray:
    """A picture (H, W, 3) in any form that ``as_float`` takes -> uint8 array (H, W, 3), rounded."""
    return (as_float("picture", picture).detach().cpu() * 255).round().to(torch.uint8).numpy()


def contact_sheet(
    pictures: Sequence, captions: Sequence[str] | None = None, columns: int = 4, cell_px: int = 256
) -> np.ndarray:
    """Pictures (H, W, 3) of any sizes, and a caption each -> one uint8 picture: a grid of cells ``cell_px`` wide.

    Pictures are fitted into their cells with their proportions kept; captions longer than a cell are cut with "…".
    """
    if not pictures:
        raise ValueError("pictures: got none, expected at least one.")
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"captions: got {len(captions)} for {len(pictures)} pictures, expected one each.")
    columns = min(columns, len(pictures))
    text_px = max(11, cell_px // 18)
    step = cell_px + (2 * text_px if captions is not None else 4)
    sheet = Image.new("RGB", (columns * (cell_px + 4), math.ceil(len(pictures) / columns) * step), PAPER)
    for i, picture in enumerate(pictures):
        left, top = i % columns * (cell_px + 4), i // columns * step
        small = _fitted(Image.fromarray(as_uint8(picture)), cell_px)
        sheet.paste(small, (left + (cell_px - small.width) // 2, top + (cell_px - small.height) // 2))
        if captions is not None:
            _caption(sheet, captions[i], left + cell_px // 2, top + cell_px + text_px, cell_px, text_px)
    return np.array(sheet)


def _fitted(image: Image.Image, cell_px: int) -> Image.Image:
    ratio = cell_px / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _caption(sheet: Image.Image, text: str, x: int, y: int, room_px: int, text_px: int) -> None:
    font = ImageFont.load_default(text_px)
    shown = text
    while shown and font.getlength(shown) > room_px:
        shown = shown[:-2].rstrip("…") + "…" if len(shown) > 2 else ""
    ImageDraw.Draw(sheet).text((x, y), shown, INK, font, anchor="mm")
