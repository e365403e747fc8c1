import numpy as np
import pytest
from mediapipe.python.solution_base import SolutionBase
from sitters import NAMES, astronaut_photo, real, rendered, seen, seen_rendered

from avatarlab.core.errors import InputError
from avatarlab.photo import Photo, detectors, observe


@pytest.mark.parametrize("name", NAMES)
def test_every_real_photo(name):
    photo, observation = real(name), seen(name)
    assert (observation.height, observation.width) == photo.rgb.shape[:2]
    assert observation.view == ("side" if "profile" in name else "front")
    assert observation.face is not None and observation.skin.count > 50
    assert np.array_equal(observation.parts > 0, observation.mask)
    x, y = np.floor(observation.keypoints[11:25, :2]).astype(int).T
    body = observation.keypoints[11:25, 2] > 0.5
    near = (
        observation.confidence[np.clip(y, 0, photo.rgb.shape[0] - 1), np.clip(x, 0, photo.rgb.shape[1] - 1)] > 127
    )
    assert near[body].mean() > 0.9
    assert not any(finding.fatal for finding in observation.findings)


def test_astronaut():
    observation = seen("astronaut")
    assert observation.view == "front" and abs(observation.yaw_deg) < 15
    assert observation.face is not None and observation.skin is not None
    assert observation.part("head")[100, 220] and observation.part("trunk")[400, 220]
    assert not observation.mask[50, 50] and not observation.mask[300, 480]


def test_hands_are_on_their_own_side():
    observation = seen("ibm_yogait_tpose_t4")
    for hand, wrist in ((observation.hands.left, 15), (observation.hands.right, 16)):
        assert np.linalg.norm(hand[0, :2] - observation.keypoints[wrist, :2]) < 25


def test_same_photo_same_observation():
    first, second = seen("astronaut"), observe(astronaut_photo())
    for name in ("mask", "parts", "confidence", "keypoints", "keypoints_world", "face"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert np.array_equal(first.skin.lab, second.skin.lab) and first.findings == second.findings


def test_focal_length_from_exif_or_assumed():
    assert seen("astronaut").focal_source == "assumed"
    assert seen("astronaut").focal_px == pytest.approx(256 / np.tan(np.radians(30)))
    told = observe(Photo(astronaut_photo().rgb, 700.0, "told"))
    assert (told.focal_px, told.focal_source) == (700.0, "exif")


def test_nobody_is_refused():
    wall = np.random.default_rng(0).integers(90, 120, (400, 300, 3), dtype=np.uint8)
    with pytest.raises(InputError, match=r"wall.jpg: no person was found; .*\.$"):
        observe(Photo(wall, None, "wall.jpg"))


def test_unknown_view_is_refused():
    with pytest.raises(InputError, match="view: got 'back', expected one of auto, front, side"):
        observe(astronaut_photo(), view="back")


def test_the_wanted_view_is_kept_and_the_mismatch_said():
    side = rendered("apose", 90.0).photo
    assert observe(side, view="front").view == "front"
    assert "profile_not_front" in observe(side, view="front").codes
    assert "not_profile" in observe(rendered().photo, view="side").codes
    assert seen_rendered("apose", 90.0).codes == set()


def test_a_later_photo_loads_no_network_and_asks_each_a_few_times(monkeypatch):
    """Its seconds are bench/bench_fit.py's affair (observe_two_photos_s); here, what they go into."""
    observe(astronaut_photo())
    monkeypatch.setattr(SolutionBase, "__init__", lambda *_, **__: pytest.fail("a network was loaded again"))
    asked = []
    for name in ("pose", "face", "hand"):
        was = getattr(detectors, name)
        monkeypatch.setattr(detectors, name, lambda rgb, name=name, was=was: asked.append(name) or was(rgb))
    observe(astronaut_photo())
    assert {"pose", "face"} <= {*asked} and len(asked) <= 6, asked
