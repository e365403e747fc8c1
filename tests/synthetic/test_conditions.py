import numpy as np
import pytest
from crowd import joint

from avatarlab.core.errors import InputError
from avatarlab.photo.observation import Observation
from avatarlab.render import rasterize
from avatarlab.synthetic import conditions, delivered


@pytest.fixture(scope="module")
def shown(open_body, crowd):
    """Observations of two people: (person, track) -> (front, side)."""
    return {(k, track): delivered(crowd.all[k], track, open_body) for k in (0, 1) for track in "ab"}


def same(one: Observation, two: Observation, tmp_path) -> bool:
    one.save(tmp_path / "one.npz")
    two.save(tmp_path / "two.npz")
    return (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_track_a_is_the_body_itself(open_body, crowd, shown):
    for view, seen in zip(("front", "side"), shown[0, "a"], strict=True):
        shot = crowd.all[0].shots[view]
        assert np.array_equal(seen.mask, rasterize(shot.vertices, open_body.faces, shot.camera).mask.numpy())
        assert seen.capture == "studio" and seen.view == view


def test_track_b_is_larger_but_the_same_person(open_body, crowd, shown):
    for k in (0, 1):
        plain, everyday = shown[k, "a"][0], shown[k, "b"][0]
        assert everyday.capture == "everyday"
        grown = everyday.mask.sum() / plain.mask.sum()
        assert 1.0 < grown < 1.25
        overlap = (plain.mask & everyday.mask).sum() / plain.mask.sum()
        assert overlap > 0.95


def test_same_person_same_bytes(open_body, crowd, shown, tmp_path):
    for track in "ab":
        again = delivered(crowd.all[0], track, open_body)
        assert all(same(a, b, tmp_path) for a, b in zip(again, shown[0, track], strict=True))
    assert not same(shown[0, "b"][0], shown[1, "b"][0], tmp_path)


def test_a_single_view_is_the_one_of_the_pair(open_body, crowd, shown, tmp_path):
    (side,) = delivered(crowd.all[1], "b", open_body, views=("side",))
    assert same(side, shown[1, "b"][1], tmp_path)


def test_keypoints_lie_on_the_body_within_their_noise(open_body, crowd):
    off = {"front": [], "side": []}
    for person in crowd.all:
        for view, seen in zip(off, delivered(person, "a", open_body), strict=True):
            shot = person.shots[view]
            true = conditions.keypoints_of(open_body)(
                shot.joints, shot.vertices[conditions.keypoints_of(open_body).vertices]
            )
            pixels = shot.camera.project(true)[0].numpy()
            tall = np.ptp(pixels[:, 1])
            off[view].append((seen.keypoints[:, :2] - pixels) / tall)
            assert np.linalg.norm(seen.keypoints_world[[23, 24]].mean(0)) < 0.08
    for view, sd in conditions.KEYPOINT_SD.items():
        assert np.std(off[view]) == pytest.approx(sd, rel=0.15)


def test_yaw_says_to_which_side_the_person_turned(crowd, shown):
    for k in (0, 1):
        shot = crowd.all[k].shots["side"]
        nose = conditions.in_camera(shot.joints, shot.camera)
        forward = joint(nose, "left_foot")[0] - joint(nose, "left_ankle")[0]
        assert np.sign(shown[k, "a"][1].yaw_deg) == np.sign(forward)
        assert abs(shown[k, "a"][0].yaw_deg) < 30 and 65 < abs(shown[k, "a"][1].yaw_deg) < 115


def test_far_limbs_of_a_side_view_are_doubtful(shown):
    for k in (0, 1):
        seen = shown[k, "a"][1].keypoints[:, 2]
        left, right = seen[[13, 15, 25, 27]].mean(), seen[[14, 16, 26, 28]].mean()
        assert min(left, right) < 0.8 < max(left, right)
        assert shown[k, "a"][0].keypoints[:, 2].min() > 0.9


def test_half_know_their_focal_length(open_body, crowd):
    shot = crowd.all[0].shots["front"]
    told = [conditions.focal(shot.camera, np.random.default_rng(seed)) for seed in range(200)]
    exif = [px / float(shot.camera.K[1, 1]) for px, source in told if source == "exif"]
    assert 70 < len(exif) < 130
    assert np.std(exif) == pytest.approx(0.02, rel=0.3) and np.mean(exif) == pytest.approx(1, abs=0.01)
    assert len({px for px, source in told if source == "assumed"}) == 1


def test_arms_hang_over_the_trunk_in_everyday_side_views(crowd):
    assert conditions.sighting(crowd.all[0], "a", "side") is not conditions.sighting(crowd.all[0], "b", "side")
    assert conditions.SHOT["b"]["side"] == "side_arms"


def test_unknown_tracks_and_views_are_refused(open_body, crowd):
    with pytest.raises(InputError, match="track: got 'd'"):
        delivered(crowd.all[0], "d", open_body)
    with pytest.raises(InputError, match="views: got back"):
        delivered(crowd.all[0], "a", open_body, views=("back",))


def test_a_photo_in_which_nobody_is_found_leaves_a_gap(open_body, crowd, monkeypatch):
    def nobody(photo, view):
        raise InputError("no person was found")

    monkeypatch.setattr(conditions, "observe", nobody)
    assert delivered(crowd.all[0], "c", open_body) == (None, None)


def test_a_photo_shows_the_person(open_body, crowd):
    (seen,) = delivered(crowd.all[1], "c", open_body, views=("front",))
    shot = conditions.sighting(crowd.all[1], "c", "front")
    mask = conditions.exact_mask(shot.vertices, open_body, shot.camera)
    assert seen.capture == "photo"
    assert (mask & seen.mask).sum() / (mask | seen.mask).sum() > 0.8
