"""The figures against closed forms: a shift, a cubic path, a constant angle, a foot sliding at a known speed."""

import math

import pytest
import roma
import torch

from avatarlab.motion.evaluate import metrics
from avatarlab.motion.evaluate.metrics import FEET, METRICS, OF_TRUTH, averaged, scores
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import COUNT, DEVICES, JOINT, PARENT, Skeleton
from avatarlab.motion.trackers import RATE

FRAMES = 40


@pytest.fixture(scope="module")
def skeleton():
    """Made up: the joints of a chain that goes off at odd angles; the feet 8 cm under the ankles."""
    generator = torch.Generator().manual_seed(3)
    rest = torch.zeros(COUNT, 3, dtype=torch.float64)
    for joint in range(1, COUNT):
        rest[joint] = rest[PARENT[joint]] + 0.2 * torch.randn(3, generator=generator, dtype=torch.float64)
    for ankle, toe in ((7, 10), (8, 11)):
        rest[toe] = rest[ankle] + torch.tensor([0.0, -0.08, 0.1])
    return Skeleton(rest)


@pytest.fixture(scope="module")
def moving():
    """Somebody who tumbles smoothly: local rotations (T, 22, 3, 3) and trans."""
    generator = torch.Generator().manual_seed(5)
    speed = 0.02 * torch.randn(COUNT, 3, generator=generator, dtype=torch.float64)
    time = torch.arange(FRAMES, dtype=torch.float64)
    turns = roma.rotvec_to_rotmat(torch.sin(time / 9)[:, None, None] * 20 * speed)
    return Motion(turns, torch.stack([torch.sin(time / 20), 0.01 * time, 1 + 0 * time], -1))


def still(frames=FRAMES):
    turns = torch.eye(3, dtype=torch.float64).expand(frames, COUNT, 3, 3)
    return Motion(turns, torch.zeros(frames, 3, dtype=torch.float64))


def standing(skeleton, frames=FRAMES):
    """A body at rest turned upright, its left toes 2 cm above the floor; the other foot is far from it."""
    upright = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]], dtype=torch.float64)
    turns = still(frames).rotations.clone()
    turns[:, 0] = upright
    height = skeleton.fk(turns)[1][0, :, 2]
    lift = torch.zeros(frames, 3, dtype=torch.float64)
    lift[:, 2] = 0.02 - height[JOINT["left_foot"]]
    return Motion(turns, lift)


def test_the_keys_are_those_of_the_issue():
    assert list(METRICS)[:10] == [
        "mpjre_deg", "mpjre_geodesic_deg", "mpjpe_cm", "mpjve_cm_s", "hand_cm", "upper_cm", "lower_cm", "root_cm",
        "jitter_100m_s3", "foot_skate_cm_s",
    ]  # fmt: skip


def test_a_shift_of_one_centimetre_is_one_centimetre(skeleton, moving):
    shifted = Motion(moving.rotations, moving.trans + torch.tensor([0.0, 0.006, 0.008], dtype=torch.float64))
    found = scores(skeleton, moving, shifted)
    for key in ("mpjpe_cm", "hand_cm", "upper_cm", "lower_cm", "root_cm"):
        assert float(found[key]) == pytest.approx(1.0, abs=1e-9)
    assert float(found["mpjre_deg"]) == float(found["mpjre_geodesic_deg"]) == 0
    assert float(found["mpjve_cm_s"]) == pytest.approx(0, abs=1e-9)


def test_a_drift_shows_in_the_velocity(skeleton, moving):
    away = Motion(moving.rotations, moving.trans + torch.arange(FRAMES)[:, None] * torch.tensor([0.001, 0.0, 0.0]))
    found = scores(skeleton, moving, away)
    assert float(found["mpjve_cm_s"]) == pytest.approx(0.1 * RATE)
    assert float(found["mpjpe_cm"]) == pytest.approx(0.1 * FRAMES / 2)  # frames 1 to T - 1: the mean of 1..39 mm


def test_a_cubic_path_jitters_by_six_times_its_factor():
    time = torch.arange(50, dtype=torch.float64) / RATE
    path = 7.0 * time**3 + 2 * time**2 - time
    positions = torch.zeros(50, COUNT, 3, dtype=torch.float64)
    positions[..., 0] = path[:, None]
    assert float(metrics.jitter(positions)) == pytest.approx(6 * 7.0 / 100, rel=1e-6)


def test_a_constant_angle_in_both_forms(skeleton):
    true = still()
    axis = torch.tensor([0.36, -0.48, 0.8], dtype=torch.float64)
    turns = roma.rotvec_to_rotmat(math.radians(30) * axis).expand_as(true.rotations)
    found = scores(skeleton, true, Motion(turns, true.trans))
    assert float(found["mpjre_geodesic_deg"]) == pytest.approx(30)
    assert float(found["mpjre_deg"]) == pytest.approx(30 * float(axis.abs().mean()))


def test_sages_form_is_no_angle_and_wraps():
    """Two half turns less a little about opposite axes: 350 degrees apart as vectors, 10 as rotations."""
    vectors = torch.tensor([0.0, 0.0, math.radians(175)], dtype=torch.float64)
    one = roma.rotvec_to_rotmat(vectors).expand(1, COUNT, 3, 3)
    assert float(metrics.mpjre(one, one.mT)) == pytest.approx(10 / 3)
    assert float(metrics.mpjre_geodesic(one, one.mT)) == pytest.approx(10)
    turned = roma.rotvec_to_rotmat(torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)).expand(1, COUNT, 3, 3)
    other = roma.rotvec_to_rotmat(torch.tensor([1.0, 0.6, 0.0], dtype=torch.float64)).expand(1, COUNT, 3, 3)
    assert float(metrics.mpjre(turned, other)) == pytest.approx(math.degrees(0.6) / 3)
    assert float(metrics.mpjre_geodesic(turned, other)) < math.degrees(0.6)


def test_the_root_does_not_count_as_a_joint_that_turns(skeleton, moving):
    turns = moving.rotations.clone()
    turns[:, 0] = turns[:, 0].mT
    found = scores(skeleton, moving, Motion(turns, moving.trans))
    assert float(found["mpjre_deg"]) == float(found["mpjre_geodesic_deg"]) == 0
    assert float(found["mpjpe_cm"]) > 1 and float(found["root_cm"]) == 0


def test_only_the_part_that_is_wrong_is_blamed(skeleton, moving):
    turns = moving.rotations.clone()
    turns[:, JOINT["left_elbow"]] = turns[:, JOINT["left_elbow"]] @ roma.rotvec_to_rotmat(
        torch.tensor([0.0, 0.5, 0.0], dtype=torch.float64)
    )
    found = scores(skeleton, moving, Motion(turns, moving.trans))
    wrist = skeleton.fk(turns)[1][1:, DEVICES[1]] - skeleton.fk(moving.rotations)[1][1:, DEVICES[1]]
    error_cm = 100 * float(wrist.norm(dim=-1).mean())
    assert error_cm > 1 and float(found["lower_cm"]) == float(found["root_cm"]) == 0
    assert float(found["hand_cm"]) == pytest.approx(error_cm / 2)
    assert float(found["upper_cm"]) == pytest.approx(error_cm / 14)
    assert float(found["mpjpe_cm"]) == pytest.approx(error_cm / 22)
    assert float(found["mpjre_geodesic_deg"]) == pytest.approx(math.degrees(0.5) / 21)


def test_a_perfect_motion_is_without_error_and_jitters_as_the_truth(skeleton, moving):
    found = scores(skeleton, moving, moving)
    for key in METRICS:
        if key not in OF_TRUTH:
            assert float(found[key]) == 0, key
        elif key != "foot_skate_cm_s":  # nobody stands here
            assert float(found[key]) == float(found[f"truth_{key}"])
    assert float(found["jitter_100m_s3"]) > 0


def test_frame_zero_is_left_out(skeleton, moving):
    turns, trans = moving.rotations.clone(), moving.trans.clone()
    turns[0], trans[0] = roma.rotvec_to_rotmat(turns.new_ones(COUNT, 3)), 5.0
    found = scores(skeleton, moving, Motion(turns, trans))
    assert float(found["mpjpe_cm"]) == float(found["mpjre_deg"]) == float(found["mpjve_cm_s"]) == 0


def test_a_foot_that_slides_while_the_true_one_stands(skeleton):
    """By 3 and 4 cm/s on the floor; that it rises, too, is no skating."""
    truth = standing(skeleton)
    slide = torch.arange(FRAMES)[:, None] / RATE * torch.tensor([0.03, 0.04, 0.12], dtype=torch.float64)
    found = scores(skeleton, truth, Motion(truth.rotations, truth.trans + slide))
    assert float(found["foot_skate_cm_s"]) == pytest.approx(5.0)
    assert float(found["truth_foot_skate_cm_s"]) == 0


def test_skating_is_not_hidden_by_lifting_the_foot_and_walking_is_no_skating(skeleton):
    truth = standing(skeleton)
    run = torch.arange(FRAMES)[:, None] / RATE * torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    lifted = Motion(truth.rotations, truth.trans + run + torch.tensor([0.0, 0.0, 0.5]))
    assert float(scores(skeleton, truth, lifted)["foot_skate_cm_s"]) == pytest.approx(100)
    assert math.isnan(float(scores(skeleton, lifted, truth)["foot_skate_cm_s"]))  # the truth stands nowhere


def test_a_foot_stands_only_where_it_is_low_and_slow():
    positions = torch.zeros(6, COUNT, 3)
    positions[:, list(FEET), 2] = 0.05
    positions[3:, FEET[0], 0] = 0.5  # one jump
    positions[:, FEET[1], 2] = 0.16
    expected = torch.ones(5, 4, dtype=torch.bool)
    expected[2, 0] = False
    expected[:, 1] = False
    assert torch.equal(metrics.contact(positions), expected)


def test_depth_is_of_the_lowest_foot_point_and_zero_above():
    positions = torch.ones(4, COUNT, 3)
    positions[0, FEET[2], 2], positions[0, FEET[0], 2] = -0.04, -0.01
    positions[1, FEET[3], 2] = 0.02
    positions[2, JOINT["left_wrist"], 2] = -1.0
    assert float(metrics.floor_penetration(positions)) == pytest.approx(1.0)


def test_clips_count_alike_however_long_they_are(skeleton, moving):
    short = Motion(moving.rotations[:10], moving.trans[:10])
    off = Motion(short.rotations, short.trans + torch.tensor([0.0, 0.03, 0.0]))
    rows = [{k: float(v) for k, v in scores(skeleton, *pair).items()} for pair in ((moving, moving), (short, off))]
    assert averaged(rows, ["mpjpe_cm"])["mpjpe_cm"] == pytest.approx(1.5)
    assert averaged([{"x": math.nan}, {"x": 2.0}], ["x"]) == {"x": 2.0}
    assert math.isnan(averaged([{"x": math.nan}], ["x"])["x"])


def test_wrists_out_of_reach_are_told_apart(skeleton, moving):
    """Half the time the body is a metre off: no arm reaches from there; else a centimetre."""
    off = torch.where(torch.arange(FRAMES)[:, None] % 2 == 0, 0.01, 5.0) * torch.tensor([1.0, 0.0, 0.0])
    found = scores(skeleton, moving, Motion(moving.rotations, moving.trans + off))
    assert float(found["hand_reachable_cm"]) == pytest.approx(1.0)
    assert float(found["hand_cm"]) > 200
    assert float(found["hand_unreachable_pct"]) == pytest.approx(100 * (FRAMES // 2) / (FRAMES - 1))
    away = Motion(moving.rotations, moving.trans + 9.0)
    assert math.isnan(float(scores(skeleton, moving, away)["hand_reachable_cm"]))


def test_a_batch_is_its_clips_one_by_one(skeleton, moving):
    other = Motion(moving.rotations.flip(0), moving.trans.flip(0))
    both = Motion(*(torch.stack(pair) for pair in zip(moving, other, strict=True)))
    pred = Motion(both.rotations.roll(1, 1), both.trans + 0.01)
    together = scores(skeleton, both, pred)
    for k in range(2):
        alone = scores(skeleton, Motion(*(x[k] for x in both)), Motion(*(x[k] for x in pred)))
        for key, value in alone.items():
            assert torch.allclose(together[key][k], value, equal_nan=True), key


def test_too_short_or_of_other_shape_is_refused(skeleton, moving):
    short = Motion(moving.rotations[:4], moving.trans[:4])
    with pytest.raises(ValueError, match="T >= 5"):
        scores(skeleton, short, short)
    with pytest.raises(ValueError, match=r"said\.rotations"):
        scores(skeleton, moving, short)
