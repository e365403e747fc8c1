import cv2
import numpy as np
import pytest
from sitters import astronaut_photo, seen

from avatarlab.photo import networks, skin


def made_face(colour, size=200):
    """A picture of one skin colour with noise, shine, a dark frame, and face points spread over it."""
    rng = np.random.default_rng(3)
    rgb = np.clip(np.array(colour) + rng.normal(0, 3, (size, size, 3)), 0, 255).astype(np.uint8)
    face = np.zeros((networks.FACE_POINTS, 3), np.float32)
    boxes = [(20, 100, 70, 150), (130, 100, 180, 150), (60, 20, 140, 60)]
    for polygon, (x0, y0, x1, y1) in zip(skin.CHEEKS_AND_FOREHEAD, boxes, strict=True):
        angle = np.linspace(0, 2 * np.pi, len(polygon), endpoint=False)
        face[list(polygon), 0] = (x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(angle)
        face[list(polygon), 1] = (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(angle)
    return rgb, face


@pytest.mark.parametrize("colour", [(235, 200, 180), (200, 150, 120), (90, 60, 45)])
def test_colour_is_found_despite_shine_frames_and_hair(colour):
    rgb, face = made_face(colour)
    rgb[110:120, 20:70] = 25  # spectacle frame
    rgb[20:30, 60:140] = 245  # shine
    sample = skin.sample_skin(rgb, face)
    expected = skin.to_lab(np.uint8([colour]))[0]
    assert np.abs(sample.lab - expected).max() < 1.0
    assert np.abs(sample.rgb * 255 - colour).max() < 4
    assert (sample.mad < 2.5).all() and sample.count > 1000


def test_lab_agrees_with_the_textbook():
    assert np.allclose(skin.to_lab(np.uint8([[255, 255, 255]])), [[100, 0, 0]], atol=0.1)
    assert np.allclose(skin.to_lab(np.uint8([[255, 0, 0]])), [[53.24, 80.09, 67.20]], atol=0.3)
    colours = np.uint8([[10, 20, 30], [200, 150, 120]])
    assert np.allclose(skin.to_rgb(skin.to_lab(colours)) * 255, colours, atol=0.5)


def test_too_little_skin_is_none():
    rgb, face = made_face((200, 150, 120))
    assert skin.sample_skin(rgb, face * 0.02) is None
    assert skin.sample_skin(rgb, face + 1000) is None
    assert skin.sample_skin(np.full_like(rgb, 255), face) is None


def test_astronaut_is_fair_and_repeatable_over_brightness():
    observation = seen("astronaut")
    lab = observation.skin.lab
    assert 70 < lab[0] < 90 and 4 < lab[1] < 16 and 8 < lab[2] < 24
    darker = cv2.convertScaleAbs(astronaut_photo().rgb, alpha=0.7)
    assert skin.sample_skin(darker, observation.face).lab[0] < lab[0] - 10


def test_same_man_same_skin():
    names = ["ibm_yogait_apose_wide", "ibm_yogait_apose_tada1", "ibm_yogait_tpose_t5_wide"]
    labs = np.array([seen(name).skin.lab for name in names])
    assert np.ptp(labs, axis=0).max() < 8
