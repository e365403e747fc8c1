import cv2
import numpy as np
from sitters import rendered, seen, seen_rendered

from avatarlab.photo import matting
from avatarlab.photo.networks import KEYPOINTS

CENTRE = np.full((KEYPOINTS, 3), 150.0)


def disc(radius, shape=(300, 300)):
    """A filled circle in the middle, bool."""
    return cv2.circle(np.zeros(shape, np.uint8), (150, 150), radius, 1, -1) > 0


def scene(mask, seed=1):
    """A reddish thing before a bluish wall, with noise."""
    noise = np.random.default_rng(seed).normal(0, 12, (*mask.shape, 3))
    return np.clip(np.where(mask[..., None], (190, 80, 60), (70, 110, 170)) + noise, 0, 255).astype(np.uint8)


def iou(a, b):
    """Intersection over union."""
    return (a & b).sum() / (a | b).sum()


def standing_points():
    """Keypoints whose reach covers the whole picture."""
    points = CENTRE.copy()
    points[[11, 12], 1], points[[23, 24], 1] = 20, 280
    return points


def test_colour_mends_a_blurred_guess():
    truth = disc(80)
    guess = cv2.GaussianBlur(np.roll(truth, 3, 1).astype(np.float32), (0, 0), 4)
    mask = matting.refine(scene(truth), guess, standing_points())
    assert iou(guess > 0.5, truth) < 0.96 < 0.99 < iou(mask, truth)
    assert np.array_equal(mask, matting.refine(scene(truth), guess, standing_points()))


def test_one_component_and_holes_by_belief():
    truth = disc(80)
    guess = truth.astype(np.float32)
    guess[10:20, 10:20] = 1  # an island
    guess[140:160, 140:160] = 0  # a real hole, like the gap between arm and trunk
    rgb = scene(guess > 0.5)
    rgb[100:106, 100:106] = (70, 110, 170)  # a wall-coloured badge
    mask = matting.refine(rgb, guess, standing_points())
    assert not mask[15, 15] and not mask[150, 150] and mask[103, 103]


def test_small_bulges_beyond_the_bones_go_and_large_ones_stay():
    mask = np.zeros((200, 200), bool)
    mask[50:150, 50:150] = True
    near = mask.copy()
    mask[150:155, 60:90] = True
    mask[100:150, 150:200] = True
    bulges = matting._bulges(mask, near)
    assert bulges[152, 70] and not bulges[120, 170] and not bulges[100, 100]


def test_nothing_learnable_leaves_the_guess():
    trimap = np.full((20, 20), cv2.GC_PR_FGD, np.uint8)
    trimap[:5] = cv2.GC_PR_BGD
    assert np.array_equal(matting._grabcut(np.zeros((20, 20, 3), np.uint8), trimap), trimap == cv2.GC_PR_FGD)


def test_window_stays_within_the_picture():
    mask = np.zeros((50, 60), bool)
    mask[2:10, 50:60] = True
    assert matting.window(mask) == (slice(2, 10), slice(50, 60))
    assert matting.window(mask, 0.5, 3) == (slice(0, 17), slice(43, 60))


def test_rendered_person():
    scene_ = rendered()
    assert iou(seen_rendered().mask, scene_.part != "") > 0.975


def test_real_mask_is_one_piece_and_keeps_gaps():
    mask = seen("ibm_yogait_apose_wide").mask
    assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] == 2
    assert not mask[300:340, 430:440].all()
