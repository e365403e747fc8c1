"""The command that animates a recording: all files or none, one sentence for what is wrong."""

import numpy as np
import pytest
import torch

from avatarlab.body import Person
from avatarlab.export import animate
from avatarlab.motion.capture.calibration import Calibration
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.simulation import SimulatedRig, simulated
from avatarlab.motion.capture.table import write_table
from avatarlab.motion.clip import Clip
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import upright
from avatarlab.motion.skeleton import HEAD

FILES = {"clip.npz", "sage_result.npz", "clip.bvh", "animated.glb", "calibration.json"}


class Stiff:
    """A model that holds a T-pose under the tracked head."""

    def __init__(self, skeleton):
        self.skeleton = skeleton

    def stream(self):
        return self

    def push(self, rotations, positions, tracked):
        pose = torch.cat([upright(rotations)[None], torch.eye(3).expand(21, 3, 3)])[None]
        return Motion(pose, positions[:1] - self.skeleton.fk(pose)[1][:, HEAD])


@pytest.fixture
def recording(open_body, tmp_path, monkeypatch):
    figure = Figure.of(open_body)
    still = Motion(torch.cat([upright(torch.eye(3))[None], torch.eye(3).expand(21, 3, 3)])[None].expand(30, -1, -1, -1),
                   (figure.standing()[0] - figure.rest[0]).float().expand(30, 3))  # fmt: skip
    write_table(tmp_path / "me.csv", simulated(still, figure, SimulatedRig(stature_m=1.8)).raw)
    monkeypatch.setattr(animate, "predictor", lambda name, split, which, figure: Stiff(figure.skeleton))
    return tmp_path / "me.csv"


def test_everything_is_there(recording, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.txt").write_text("of an earlier run")
    assert animate.main([str(recording), "--out", str(out), "--stature-cm", "180", "--film-fps", "0"]) == 0
    assert {path.name for path in out.iterdir()} == FILES
    said = capsys.readouterr().out
    assert "poses" in said and "user 180 cm, T-pose at" in said
    clip = Clip.load(out / "clip.npz")
    assert clip.mocap_frame_rate == 60 and clip.header["recording"] == "me.csv"
    assert clip.header["user_over_figure"] == Calibration.load(out / "calibration.json").scale
    with np.load(out / "sage_result.npz") as result:
        assert result["poses"].shape == (len(clip), 66) and result["trans"].shape == (len(clip), 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--stature-cm", "1.8"], "stature_m: got 0.018"),
        (["--tpose", "50", "51"], "tpose: got 50 to 51 s"),
        (["--film-fps", "1000"], "--film-fps: got 1000"),
        (["--person", "nobody.npz"], "no such file"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(recording, tmp_path, capsys, change, said):
    assert animate.main([str(recording), "--out", str(tmp_path / "out"), *change]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_missing_recordings_are_named(tmp_path, recording, capsys):
    assert animate.main([str(tmp_path / "none.csv"), "--out", str(tmp_path / "out")]) == 2
    assert "none.csv: no such file." in capsys.readouterr().err


def test_a_film_shows_all_clips_side_by_side(open_body, tmp_path):
    motion = Motion(torch.cat([upright(torch.eye(3))[None], torch.eye(3).expand(21, 3, 3)])[None].expand(7, -1, -1, -1),
                    torch.zeros(7, 3))  # fmt: skip
    clips = {name: Clip.of(motion) for name in ("said", "measured")}
    shot = animate.FilmShot(width=64, height=96, supersample=1)
    said = animate.write_all(tmp_path, open_body, Person({}, 1.7), clips, 10.0, shot)
    assert said["clip.mp4"]["width"] == 128 and said["clip.mp4"]["frames"] == 2
    assert said["animated.glb"]["frames"] == 7 and said["clip.bvh"]["frames"] == 7
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"calibration.json"} | {"clip.mp4"}
