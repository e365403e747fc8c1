"""Pictures of a person who moves: a camera that goes along, a floor that shows whether feet slide, one row of bodies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from avatarlab.body.layout import JOINT
from avatarlab.core.files import whole
from avatarlab.core.shapes import expect
from avatarlab.export import materials
from avatarlab.export.lod import Lod, reduce_body
from avatarlab.export.posed_clip import PosedClip, pose_clip
from avatarlab.render import Camera, as_uint8, shade
from avatarlab.render.floor import floor
from avatarlab.render.picture import INK, to_srgb

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


RATE = 30.0
STEADY = 5
"""Decimals (of a metre) that are drawn: the last bits of a product depend on where arrays lie in memory."""
SETTLE_S = 0.6
"""Standard deviation, in seconds, of the Gaussian that steadies the camera's path."""

TILT_DEG = 14.0
FOV_DEG = 26.0
_MARGIN_M = 0.22
"""Skin beyond the joints that the camera makes room for: the crown is the farthest."""


@dataclass(frozen=True)
class FilmShot:
    """How a film is taken: panel size in px (even numbers); ``turn_deg`` to the left of the body's mean front;
    ``follow`` the body, or stand still and see all of its way."""

    width: int = 480
    height: int = 640
    turn_deg: float = 35.0
    follow: bool = True
    supersample: int = 2


def write_film(path: str | Path, body, person, clips, rate: float = RATE, shot: FilmShot | None = None, lod=None):
    """Write ``person`` moving as a Clip, or name -> Clip side by side, as MP4; returns what ``write_video`` does.

    Clips of unequal length stop with the shortest. ``rate`` up to the clips' own is taken from their nearest frames.
    """
    clips = clips if isinstance(clips, Mapping) else {"": clips}
    acts = {name: pose_clip(body, person, clip).sampled(rate) for name, clip in clips.items()}
    return write_video(path, film(body, person, acts, shot or FilmShot(), lod or reduce_body(body)), rate)


def film(body, person, acts: Mapping[str, PosedClip], shot: FilmShot, lod: Lod) -> Iterator[np.ndarray]:
    """Yield one picture (H, W x panels, 3) uint8 a frame: a panel for each name, the same camera in all."""
    lead = next(iter(acts.values()))
    frames = min(map(len, acts.values()))
    joints = {name: acted.joints(body)[:frames] for name, acted in acts.items()}
    path = smooth_path(lead.pelvis[:frames], lead.rate if shot.follow else 0)
    points = torch.cat([positions - path[:, None] for positions in joints.values()]).flatten(0, 1)
    middle = (points.amin(0) + points.amax(0)) / 2 * torch.tensor([0.0, 1.0, 0.0])
    path, points = path + middle, points - middle
    eye = camera_offset(points, _view(joints[next(iter(acts))], shot.turn_deg), shot)
    colors = skin_colors(body, person, lod)
    for t in range(frames):
        camera = Camera.look_at(path[t] + eye, path[t], fov_deg=FOV_DEG, width=shot.width, height=shot.height)
        panels = [
            labelled(render_frame(acted.vertices(body, t, lod.keep), lod, camera, colors, shot.supersample), name)
            for name, acted in acts.items()
        ]
        yield np.concatenate(panels, 1)


def smooth_path(pelvis: Tensor, rate: float) -> Tensor:
    """Pelvis positions (T, 3) m -> (T, 3) m where a camera looks: their smooth way at their mean height.

    At ``rate`` 0 the camera stands still and looks at the middle of their way.
    """
    if rate == 0:
        return ((pelvis.amin(0) + pelvis.amax(0)) / 2).expand_as(pelvis)
    smooth = gaussian_filter1d(pelvis.double().numpy(), SETTLE_S * rate, axis=0, mode="nearest")
    smooth[:, 1] = smooth[:, 1].mean()
    return torch.from_numpy(smooth.round(STEADY)).float()


def camera_offset(points: Tensor, view: Tensor, shot: FilmShot) -> Tensor:
    """From what is looked at to the nearest camera (3,) m that sees ``points`` (N, 3) m around it, from direction ``view``."""
    right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), view)
    right = right / right.norm()
    up = torch.linalg.cross(view, right)
    tangent = np.tan(np.radians(FOV_DEG) / 2)
    across = ((points @ right).abs() + _MARGIN_M) / (tangent * shot.width / shot.height)
    along = ((points @ up).abs() + _MARGIN_M) / tangent
    return view * round(float((torch.maximum(across, along) + points @ view).max()), STEADY)


def render_frame(vertices: Tensor, lod: Lod, camera: Camera, colors: Tensor, supersample: int = 2) -> np.ndarray:
    """Picture (H, W, 3) uint8 of one body (K, 3) m on its floor, which hides what is below it.

    Only the window around the body is shaded.
    """
    faces, vertices = torch.as_tensor(lod.faces), vertices.double().round(decimals=STEADY).float()
    picture = floor(camera, vertices, faces)
    faces = faces[(vertices[faces][..., 1] > 0).any(1)]
    vertices = vertices * torch.tensor([1.0, 0, 1]) + vertices.clamp_min(0) * torch.tensor([0.0, 1, 0])
    pixels, depth = camera.project(vertices)
    low, high = pixels[depth > 0].amin(0).floor().long() - 1, pixels[depth > 0].amax(0).ceil().long() + 1
    left, top = (max(0, int(x)) for x in low)
    right, bottom = min(camera.width, int(high[0])), min(camera.height, int(high[1]))
    if right > left and bottom > top:
        part = picture[top:bottom, left:right]
        window = camera.window(left, top, right - left, bottom - top)
        picture[top:bottom, left:right] = shade(vertices, faces, window, colors, part, supersample)
    return as_uint8(picture.clamp(0, 1))


def skin_colors(body, person, lod: Lod) -> Tensor:
    """sRGB colours (K, 3) of a person's skin, eyes and tongue."""
    colors = np.tile(materials.skin_tone(person), (len(lod.keep), 1))
    painted = np.unique(lod.faces[materials.eye_faces(body, lod) | materials.tongue_faces(body, lod)])
    with torch.no_grad():
        rest = body(betas=person.betas()).vertices[lod.keep].double().numpy()
    linear = torch.as_tensor(materials.paint(body, lod, rest)[painted])
    colors[painted] = to_srgb(linear).numpy()
    return torch.as_tensor(colors).float()


def labelled(picture: np.ndarray, name: str) -> np.ndarray:
    """The picture with ``name`` in its upper left corner."""
    if not name:
        return picture
    canvas = Image.fromarray(picture)
    font = ImageFont.load_default(max(12, picture.shape[0] // 28))
    ImageDraw.Draw(canvas).text((12, 8), name, INK, font)
    return np.asarray(canvas)


def _view(joints: Tensor, turn_deg: float) -> Tensor:
    """Unit direction (3,) to the camera from joints (T, 55, 3) m: their hips' mean front, turned, and tilted up."""
    across = (joints[:, JOINT["left_hip"]] - joints[:, JOINT["right_hip"]]).mean(0)
    turn, tilt = np.arctan2(-across[2], across[0]) + np.radians(turn_deg), np.radians(TILT_DEG)
    return torch.tensor([np.sin(turn) * np.cos(tilt), np.sin(tilt), np.cos(turn) * np.cos(tilt)]).float()
