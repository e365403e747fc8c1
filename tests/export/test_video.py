"""Videos: as many frames as went in, steady bytes, nothing half-written; and films that show the body and its way."""

import numpy as np
import pytest
import torch
from dance import clip
from tube import person

from avatarlab.export import whole_body
from avatarlab.export.filming import (
    FOV_DEG,
    FilmShot,
    _view,
    camera_offset,
    film,
    read_video,
    render_frame,
    skin_colors,
    smooth_path,
    write_film,
    write_video,
)
from avatarlab.export.posed_clip import pose_clip
from avatarlab.render import Camera, as_uint8, shade
from avatarlab.render.floor import floor

SMALL = FilmShot(width=96, height=128)


def bars(count: int = 12, height: int = 48, width: int = 64):
    """Frames with a bright bar that goes to the right by 4 px a frame."""
    for k in range(count):
        frame = np.full((height, width, 3), (40, 80, 160), np.uint8)
        frame[:, 4 * k : 4 * k + 8] = (230, 200, 60)
        yield frame


def test_every_frame_comes_back_in_its_colours(tmp_path):
    said = write_video(tmp_path / "a.mp4", bars(), 30)
    frames, rate = read_video(tmp_path / "a.mp4")
    assert said == {"bytes": (tmp_path / "a.mp4").stat().st_size, "frames": 12, "width": 64, "height": 48}
    assert rate == 30 and len(frames) == 12
    off = np.abs(np.stack(frames).astype(int) - np.stack(list(bars())))
    assert np.median(off) <= 4 and off.mean() < 8


def test_same_bytes_twice(tmp_path):
    for name in "ab":
        write_video(tmp_path / f"{name}.mp4", bars(), 60)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_nothing_is_left_of_a_film_that_breaks_off(tmp_path):
    def broken():
        yield from bars(3)
        raise RuntimeError("out of film")

    with pytest.raises(RuntimeError, match="out of film"):
        write_video(tmp_path / "a.mp4", broken(), 30)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match="got 64 x 47 px, expected even"):
        write_video(tmp_path / "a.mp4", bars(height=47), 30)
    with pytest.raises(ValueError, match="frames: got none"):
        write_video(tmp_path / "a.mp4", [], 30)
    with pytest.raises(ValueError, match="frame: got shape"):
        write_video(tmp_path / "a.mp4", [*bars(2), *bars(1, width=32)], 30)
    assert not list(tmp_path.iterdir())


def test_camera_is_where_the_outermost_point_meets_the_edge():
    """A point 1 m up, seen level from the front: tan(half angle) = (1 m + margin) / distance."""
    view = torch.tensor([0.0, 0.0, 1.0])
    eye = camera_offset(torch.tensor([[0.0, 1.0, 0.0], [0.1, -0.5, 0.0]]), view, FilmShot(width=100, height=100))
    assert eye.tolist() == pytest.approx([0, 0, 1.22 / np.tan(np.radians(FOV_DEG / 2))], rel=1e-6)
    nearer = camera_offset(torch.tensor([[0.0, 1.0, 0.7]]), view, FilmShot(width=100, height=100))
    assert float(nearer[2] - eye[2]) == pytest.approx(0.7, abs=1e-5)


def test_camera_stands_in_front_turned_to_the_bodys_left():
    joints = torch.zeros(1, 55, 3)
    joints[:, 1], joints[:, 2] = torch.tensor([0.1, 0.9, 0]), torch.tensor([-0.1, 0.9, 0])
    front, side = _view(joints, 0), _view(joints, 90)
    assert front[0] == pytest.approx(0, abs=1e-5) and front[2] > 0.9 and side[0] > 0.9
    about = joints @ torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # left was +x, now +z: the body faces -x
    assert _view(about, 0)[0] < -0.9


def test_path_of_the_camera():
    way = torch.linspace(0, 2, 121)[:, None] * torch.tensor([1.0, 0.1, 0.0])
    smooth, still = smooth_path(way, 60), smooth_path(way, 0)
    assert smooth[60].tolist() == pytest.approx([1, 0.1, 0], abs=1e-4) and np.ptp(smooth[:, 1].numpy()) == 0
    assert still.unique(dim=0).tolist() == [pytest.approx([1, 0.1, 0])]


def test_window_around_the_body_is_the_same_picture(tube):
    lod = whole_body(tube)
    colors = skin_colors(tube, person(), lod)
    vertices = tube.template[: tube.skin_count] + torch.tensor([0, 0.2, 0])
    camera = Camera.look_at((0.4, 0.6, 1.6), (0.3, 0.2, 0), fov_deg=40, width=96, height=64)
    faces = torch.as_tensor(lod.faces)
    whole = as_uint8(shade(vertices, faces, camera, colors, floor(camera, vertices, faces)))
    off = np.abs(render_frame(vertices, lod, camera, colors).astype(int) - whole)
    assert off.max() <= 1 and whole.std() > 10


def test_floor_hides_what_is_below_it(tube):
    """The tube, 10 cm thick, seen from straight in front: sunk by half, half of it is left; sunk whole, none."""
    lod = whole_body(tube)
    camera = Camera.look_at((0.3, 0.5, 2.0), (0.3, 0, 0), fov_deg=25, width=96, height=64)
    tall = []
    for lift in (0.05, 0.0, -0.2):
        vertices = tube.template[: tube.skin_count] + torch.tensor([0, lift, 0])
        picture = render_frame(vertices, lod, camera, torch.tensor([0.9, 0.1, 0.1]))
        tall.append((picture[..., 0].astype(int) - picture[..., 1] > 40)[:, 48].sum())
    assert tall[0] > tall[1] > 0.4 * tall[0] and tall[2] == 0


@pytest.fixture(scope="module")
def walk():
    """Three seconds, 1.5 m ahead of where the body faces at rest."""
    return clip(frames=181, trans=np.linspace([0, 0, 1.0], [0, -1.5, 1.0], 181), left_elbow=(0, -1.4, 0))


def test_film_has_a_panel_for_each_motion(open_body, open_lod, woman, walk, tmp_path):
    pair = {"truth": walk, "ours": walk.frames(slice(0, 61))}
    said = write_film(tmp_path / "a.mp4", open_body, woman, pair, rate=4, shot=SMALL, lod=open_lod)
    assert (said["frames"], said["width"], said["height"]) == (5, 192, 128), "stops with the shorter one"
    frames, rate = read_video(tmp_path / "a.mp4")
    assert rate == 4 and len(frames) == 5 and frames[0].shape == (128, 192, 3)


@pytest.mark.parametrize("follow", [True, False])
def test_body_stays_in_the_picture_and_the_floor_tells_its_way(open_body, open_lod, woman, walk, follow):
    acted = pose_clip(open_body, woman, walk).sampled(1)
    shot = FilmShot(width=96, height=128, follow=follow, supersample=1)
    pictures = list(film(open_body, woman, {"": acted}, shot, open_lod))
    assert len(pictures) == 4
    for picture in pictures:
        skin = picture[..., 0].astype(int) - picture[..., 2] > 25
        rows, columns = np.nonzero(skin)
        assert 0.02 < skin.mean() < 0.4
        assert rows.min() > 2 and rows.max() < 125 and columns.min() > 2 and columns.max() < 93
    moved = np.abs(pictures[1].astype(int) - pictures[2])[-10:, :10].max()
    assert (moved > 5) == follow, "the floor goes by under a camera that follows, and only then"
