import numpy as np
import pytest
from sitters import astronaut_photo, beside, of_height, real, rendered

from avatarlab.photo import Photo, observe, person_detection


def test_one_person_is_one():
    assert len(person_detection.find(astronaut_photo().rgb)) == 1


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_largest_of_two_is_taken_and_said(mirrored):
    small = of_height(real("ibm_yogait_apose_tada3").rgb, 330)
    picture = beside(small, real("ibm_yogait_apose_tada1").rgb)
    picture = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
    found = person_detection.find(picture)
    heights = [np.subtract(*person_detection.box(one)[::-1])[1] for one in found]
    assert len(found) == 2 and heights[0] > 500 > 320 > heights[1]
    observation = observe(Photo(picture, None, "two"))
    assert "several_people" in observation.codes
    middle = np.nonzero(observation.mask.any(0))[0].mean() / picture.shape[1]
    assert (middle < 0.5) == mirrored


def test_astronaut_beside_a_whole_person():
    picture = np.hstack(
        [of_height(astronaut_photo().rgb, 600), of_height(real("ibm_yogait_apose_tada1").rgb, 600)]
    )
    assert len(person_detection.find(picture)) == 2


def test_a_dog_is_nobody():
    assert len(person_detection.find(real("ibm_maxod_dog_human_profile").rgb)) == 1


def test_a_small_person_is_looked_at_closer():
    rgb = of_height(real("ibm_yogait_apose_tada1").rgb, 260)
    wide = np.full((900, 1300, 3), 205, np.uint8)
    wide[500:760, 300 : 300 + rgb.shape[1]] = rgb
    (found,) = person_detection.find(wide)
    low, high = person_detection.box(found)
    assert found.confidence.shape == (900, 1300)
    assert np.allclose([low[1], high[1]], [500 + 260 * 0.045, 500 + 260 * 0.96], atol=8)
    assert (found.keypoints[:, 1] > low[1]).all() and (found.keypoints[:, 1] < high[1]).all()


def test_a_large_photo_gives_points_in_its_own_pixels():
    rgb = rendered().photo.rgb
    large = person_detection.find(np.kron(rgb, np.ones((3, 3, 1), np.uint8)))[0]
    assert large.confidence.shape == (2400, 1620)
    assert np.abs(large.keypoints[:, :2] / 3 - person_detection.find(rgb)[0].keypoints[:, :2]).max() < 8


def test_painted_over_leaves_the_rest():
    rgb = astronaut_photo().rgb
    confidence = np.zeros(rgb.shape[:2], np.float32)
    confidence[100:200, 100:200] = 1
    painted = person_detection.without(rgb, confidence)
    assert (painted[300:, 300:] == rgb[300:, 300:]).all()
    assert (painted[120:180, 120:180] != rgb[120:180, 120:180]).any()
