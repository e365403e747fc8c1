import numpy as np
import pytest
from sitters import rendered, seen, seen_rendered
from stick import stick

from avatarlab.photo import Photo, body_parts, findings, observe, views

STRAIGHT = np.zeros((33, 3))
STRAIGHT[[25, 26]], STRAIGHT[[27, 28]] = (0, 0.4, 0), (0, 0.8, 0)


def person(arm_deg=45.0, **options):
    """Mask, parts and keypoints (all visible) of a stick person."""
    points, mask = stick(arm_deg, **options)
    return mask, body_parts.part_map(mask, points, "front"), np.column_stack([points, np.ones(33)])


def codes(found):
    """The findings' codes."""
    return {one.code for one in found}


def test_every_sentence_is_one():
    facts = dict(count=2, yaw=70.0, sides="left", pixels=90, clarity=0.4)
    for code in findings.SENTENCES:
        sentence = findings.finding(code, **facts).sentence
        assert sentence.endswith(".") and "{" not in sentence


def test_whole_person_has_no_finding():
    mask, parts, keypoints = person()
    assert not findings.of_frame(mask, parts, keypoints)
    assert not findings.of_pose(mask, keypoints, STRAIGHT, "front")


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (np.s_[:540], {"feet_cut"}),
        (np.s_[:450], {"feet_cut", "legs_cut"}),
        (np.s_[60:], {"head_cut"}),
        (np.s_[:, 120:], {"arms_cut"}),
    ],
)
def test_cut_off(crop, expected):
    mask, parts, keypoints = person()
    rows, columns = crop if isinstance(crop, tuple) else (crop, slice(None))
    keypoints[:, :2] -= [columns.start or 0, rows.start or 0]
    assert codes(findings.of_frame(mask[rows, columns], parts[rows, columns], keypoints)) == expected


@pytest.mark.parametrize(("numbers", "expected"), [((27, 28), "legs_cut"), ((25, 26), "legs_cut")])
def test_hidden_legs_count_as_cut(numbers, expected):
    mask, parts, keypoints = person()
    keypoints[list(numbers), 2] = 0.1
    assert expected in codes(findings.of_frame(mask, parts, keypoints))


def test_hidden_feet_count_as_cut_but_one_hidden_foot_does_not():
    mask, parts, keypoints = person()
    keypoints[[29, 31], 2] = 0.1
    assert not findings.of_frame(mask, parts, keypoints)
    keypoints[29:33, 2] = 0.1
    assert codes(findings.of_frame(mask, parts, keypoints)) == {"feet_cut"}


@pytest.mark.parametrize(
    ("wanted", "yaw", "expected"),
    [
        ("auto", 0, set()),
        ("auto", 90, set()),
        ("auto", 35, {"turned"}),
        ("auto", 175, {"seen_from_behind"}),
        ("front", 85, {"profile_not_front"}),
        ("side", 5, {"not_profile"}),
        ("side", -85, set()),
    ],
)
def test_view(wanted, yaw, expected):
    view = views.view_of(yaw) if wanted == "auto" else wanted
    assert codes(findings.of_view(view, wanted, yaw)) == expected


@pytest.mark.parametrize(("arm_deg", "against"), [(2, True), (40, False), (90, False), (160, False)])
def test_arms_against_the_body(arm_deg, against):
    mask, _, keypoints = person(arm_deg)
    assert findings.arm_against(mask, keypoints, 0) == against
    found = codes(findings.of_pose(mask, keypoints, STRAIGHT, "front"))
    assert ("arms_against_body" in found) == against
    assert "arms_against_body" not in codes(findings.of_pose(mask, keypoints, STRAIGHT, "side"))


def test_unseen_arm_is_not_accused():
    mask, _, keypoints = person(2)
    keypoints[15, 2] = 0.1
    assert not findings.arm_against(mask, keypoints, 0)


def test_bent_knee_and_leaning_trunk_are_not_standing():
    mask, _, keypoints = person()
    world = STRAIGHT.copy()
    assert not findings.of_pose(mask, keypoints, world, "front")
    world[27] = (0, 0.65, 0.25)
    assert not findings.of_pose(mask, keypoints, world, "front"), "straight in the picture: the depth is a guess"
    world[27] = (0, 0.4, 0.4)
    assert codes(findings.of_pose(mask, keypoints, world, "front")) == {"not_standing"}
    world[27] = (0, 0.8, 0)
    keypoints[[23, 24], 0] += 80
    assert "not_standing" in codes(findings.of_pose(mask, keypoints, world, "front"))


def test_small_and_unclear():
    mask, _, keypoints = person()
    sure = mask.astype(float)
    assert not findings.of_quality(mask, keypoints, sure)
    assert codes(findings.of_quality(mask[::3, ::3], keypoints, sure[::3, ::3])) == {"too_small"}
    keypoints[:, 2] = 0.5
    assert codes(findings.of_quality(mask, keypoints, sure)) == {"low_confidence"}


def test_rendered_from_behind_has_no_face():
    assert seen_rendered("apose", 180.0).codes == {"seen_from_behind", "no_face"}


def test_rendered_cut_at_the_knees():
    photo = rendered().photo
    assert {"legs_cut", "feet_cut"} <= observe(Photo(photo.rgb[:560], None, "cut")).codes


EXPECTED = {
    "ibm_maxod_dog_human_profile": set(),
    "ibm_yogait_apose_tada1": set(),
    "ibm_yogait_apose_tada3": {"head_cut"},
    "ibm_yogait_apose_wide": set(),
    "ibm_yogait_side_lunge_left": {"not_standing", "turned"},
    "ibm_yogait_test_a": set(),
    "ibm_yogait_test_c": set(),
    "ibm_yogait_tpose_t4": {"feet_cut"},
    "ibm_yogait_tpose_t5_wide": set(),
    "ibm_yogait_warrior0": {"not_standing", "turned"},
    "ibm_yogait_y1": set(),
    "tfjs_pose_warrior": {"not_standing"},
    "astronaut": {"arms_cut", "legs_cut", "feet_cut"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_photos(name):
    assert seen(name).codes == EXPECTED[name]
