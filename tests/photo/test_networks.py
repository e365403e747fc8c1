import re
import sys
from importlib import util

import numpy as np
import pytest
from sitters import astronaut_photo

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256
from avatarlab.photo import detectors, detectors_mediapipe, networks, observe


def laid_out(folder, network):
    """A copy of a network's files as the wheel has them."""
    for name in networks.FILES[network]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((detectors_mediapipe.folder() / "modules" / name).read_bytes())


@pytest.mark.parametrize("network", networks.FILES)
def test_installed_files_are_the_named_ones(network):
    networks.check_files(network, detectors_mediapipe.folder() / "modules", "mediapipe", "")


def test_another_file_and_a_missing_one_are_refused(tmp_path):
    laid_out(tmp_path, "hand")
    networks.check_files("hand", tmp_path, "mediapipe 9", "do this.")
    path = tmp_path / "palm_detection/palm_detection_full.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(
        InputError, match=f"^mediapipe 9: .*full.tflite has sha256 {sha256(path)[:12]}.*; do this.$"
    ):
        networks.check_files("hand", tmp_path, "mediapipe 9", "do this.")
    path.unlink()
    with pytest.raises(InputError, match="palm_detection_full.tflite is missing; do this."):
        networks.check_files("hand", tmp_path, "mediapipe 9", "do this.")


def test_a_mediapipe_without_models_is_refused_before_it_is_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(detectors_mediapipe, "folder", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "mediapipe.python", None)  # an import would raise
    monkeypatch.setattr(detectors_mediapipe, "_solution", detectors_mediapipe._solution.__wrapped__)
    with pytest.raises(InputError, match=r"^mediapipe [\d.]+: \S+ is missing; .*pip install .*mediapipe==0.10.21"):
        detectors.pose(np.zeros((64, 64, 3), np.uint8))


def test_no_mediapipe_at_all(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="mediapipe: not installed; install"):
        detectors_mediapipe.folder()


def test_the_remedy_names_the_pinned_version():
    for file in ("pyproject.toml", "constraints.txt", "environment.yml"):
        assert f"mediapipe=={detectors_mediapipe.VERSION}" in (ROOT / file).read_text()


class Recorded:
    """Another runner: gives the answers that were recorded, and knows no network."""

    def __init__(self, runner):
        self.runner, self.answers, self.playing = runner, {}, False

    def __getattr__(self, network):
        def ask(rgb):
            key = network, rgb.tobytes()
            if not self.playing:
                self.answers[key] = getattr(self.runner, network)(rgb)
            return self.answers[key]

        return ask


def test_another_runner_takes_over(monkeypatch):
    recorded = Recorded(detectors.runner())
    monkeypatch.setattr(detectors, "runner", lambda: recorded)
    first = observe(astronaut_photo())
    recorded.playing = True
    monkeypatch.setattr(detectors_mediapipe, "_solution", None)
    again = observe(astronaut_photo())
    assert {network for network, _ in recorded.answers} >= {"pose", "face"}
    assert np.array_equal(first.keypoints, again.keypoints) and np.array_equal(first.face, again.face)
    assert np.array_equal(first.mask, again.mask)


def test_the_page_names_every_file_with_its_sha256():
    text = (ROOT / "docs/photo_models.md").read_text()
    said = dict(re.findall(r"^\| `([\w/.]+)` \|.*`([0-9a-f]{64})`", text, re.M))
    assert said == {name: digest for files in networks.FILES.values() for name, digest in files.items()}
