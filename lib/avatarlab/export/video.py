"""MP4 files: frames in, H.264 out, whole or not at all, with the same bytes for the same frames."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avatarlab.core.files import whole
from avatarlab.core.shapes import expect

CODEC = "libx264"
QUALITY = 20
"""x264's constant rate factor: 18 is taken for transparent, 23 is its default."""

_BT709 = 1
"""What ITU-T H.273 calls BT.709 in all three of its tables, and MPEG's range in FFmpeg's."""


def write_video(
    path: str | Path, frames: Iterable[np.ndarray], rate: float, quality: int = QUALITY
) -> dict[str, int]:
    """Write frames (H, W, 3) uint8 sRGB, ``rate`` a second, as MP4; returns ``bytes``, ``frames``, ``width``, ``height``.

    H.264 in yuv420p, which every browser plays: H and W must be even. One thread, so equal frames give equal bytes.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError("frames: got none, expected at least one.")
    height, width = np.shape(first)[:2]
    if height % 2 or width % 2:
        raise ValueError(f"frames: got {width} x {height} px, expected even numbers (yuv420p halves them).")
    with whole(path) as part:
        with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as file:
            stream = _stream(file, width, height, rate, quality)
            count = 0
            for frame in _all(first, frames):
                expect("frame", frame, ("H", "W", 3), H=height, W=width)
                file.mux(stream.encode(_picture(frame)))
                count += 1
            file.mux(stream.encode())
        size = part.stat().st_size
    return {"bytes": size, "frames": count, "width": width, "height": height}


def read_video(path: str | Path) -> tuple[list[np.ndarray], float]:
    """Return the frames (H, W, 3) uint8 of a video, and how many there are a second."""
    with av.open(str(path)) as file:
        rate = float(file.streams.video[0].average_rate)
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)], rate


SAME = "mbtree=0:psy=0:aq-mode=0:trellis=0"
"""Without these of x264's aids equal frames gave equal bytes six times of six; with them now and then not."""


def _all(first, rest):
    yield first
    yield from rest


def _stream(file, width: int, height: int, rate: float, quality: int):
    if CODEC not in av.codecs_available:
        raise RuntimeError(f"PyAV has no {CODEC} here; install PyAV from PyPI or conda-forge.")
    stream = file.add_stream(CODEC, rate=Fraction(rate).limit_denominator(1001))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": str(quality), "preset": "medium", "threads": "1", "x264-params": SAME}
    context = stream.codec_context
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = context.color_range = _BT709
    return stream


def _picture(frame: np.ndarray):
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame, dtype=np.uint8), format="rgb24")
    return picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
