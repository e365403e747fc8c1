import numpy as np
import pytest
from sitters import rendered, seen, seen_rendered
from stick import stick

from avatarlab.photo import body_parts, skeleton
from avatarlab.photo.observation import PART_NAMES

TRUNK, LEFT_ARM, RIGHT_ARM = (PART_NAMES.index(name) for name in ("trunk", "left_arm", "right_arm"))


def width(part, y):
    """Extent (px) of a part in row y."""
    x = np.flatnonzero(part[y])
    return x[-1] - x[0] + 1 if len(x) else 0


@pytest.mark.parametrize("arm_deg", [20, 45, 90, 135])
def test_parts_fill_the_mask_and_the_trunk_keeps_its_outline(arm_deg):
    points, mask = stick(arm_deg)
    parts = body_parts.part_map(mask, points, "front")
    assert np.array_equal(parts > 0, mask)
    _, bare = stick(180)
    for y in range(225, 300, 5):
        assert width(parts == TRUNK, y) == pytest.approx(width(bare, y), abs=2), y
    for side, label in enumerate((LEFT_ARM, RIGHT_ARM)):
        for number in (13, 15, 19):
            x, y = np.rint(points[number + side]).astype(int)
            assert parts[y, x] == label


def test_hands_on_hips_stay_hands_of_arms_not_trunk():
    points, mask = stick(60, hands_on_hips=True)
    parts = body_parts.part_map(mask, points, "front")
    x, y = np.rint(points[13]).astype(int)
    assert parts[y, x] == LEFT_ARM
    _, bare = stick(180)
    assert width(parts == TRUNK, 260) == pytest.approx(width(bare, 260), abs=8)


def test_arms_pressed_against_the_body_are_cut_by_proportion():
    points, mask = stick(2)
    parts = body_parts.part_map(mask, points, "front")
    assert body_parts.arm_gap(mask, points, skeleton.trunk(points), 0) is None
    assert parts[225, 302] == LEFT_ARM and parts[225, 240] == TRUNK
    assert width(parts == TRUNK, 250) < width(mask, 250) - 20


@pytest.mark.parametrize("closed", [False, True])
def test_crotch_and_legs(closed):
    points, mask = stick(closed_legs=closed)
    trunk = skeleton.trunk(points)
    (_, y), by_proportion = body_parts.crotch(mask, points, trunk)
    assert by_proportion == closed and 300 < y < 350
    parts = body_parts.part_map(mask, points, "front")
    for number, name in ((27, "left_leg"), (28, "right_leg")):
        x, row = np.rint(points[number]).astype(int)
        assert PART_NAMES[parts[row, x]] == name


def test_head_ends_at_the_neck():
    points, mask = stick()
    rows = np.flatnonzero((body_parts.part_map(mask, points, "front") == body_parts.HEAD).any(1))
    assert rows[0] < 50 and 108 < rows[-1] < 140


def test_side_view_counts_an_arm_only_beyond_the_trunk():
    points, mask = stick(2)
    points[:, 0] = 240 + (points[:, 0] - 240) * 0.1  # all joints one behind the other
    points[[13, 15, 17, 19, 21]] = [(290, 190), (350, 190), (370, 190), (370, 190), (370, 190)]
    mask[180:200, 240:385] = True
    parts = body_parts.part_map(mask, points, "side")
    assert parts[190, 360] == LEFT_ARM and parts[190, 245] == TRUNK and parts[180, 240] == TRUNK


def test_empty_mask_has_no_parts():
    points, mask = stick()
    assert not body_parts.part_map(np.zeros_like(mask), points, "front").any()


def test_nearest_outside_point():
    mask = np.zeros((100, 100), bool)
    mask[20:80, 30:70] = True
    axes = (np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    origin = np.array([50.0, 50.0])
    assert np.allclose(body_parts.outside_point(mask, origin, axes, (45, 135), 60), [70, 50])
    assert np.allclose(body_parts.outside_point(mask, origin, axes, (-30, 30), 60), [50, 80])
    assert body_parts.outside_point(mask, origin, axes, (45, 135), 10) is None


@pytest.mark.parametrize(("pose", "off_px"), [("apose", 2.5), ("tpose", 2.5), ("standing", 4.0)])
def test_rendered_trunk_rows(pose, off_px):
    scene = rendered(pose)
    observation = seen_rendered(pose)
    truth = np.isin(scene.part, ["trunk", "l_thigh", "r_thigh"])
    mine = observation.part("trunk", "left_leg", "right_leg")
    rows = np.flatnonzero((scene.part == "trunk").any(1))
    rows = rows[len(rows) // 4 :]  # below the shoulders
    off = np.array([width(mine, y) - width(truth, y) for y in rows])
    assert np.abs(off).mean() < off_px and np.abs(off[len(off) // 3 :]).mean() < 1.5
    for mesh, label in (("l_hand", "left_arm"), ("r_foot", "right_leg")):
        assert (observation.part(label) & (scene.part == mesh)).sum() > 0.8 * (scene.part == mesh).sum()


@pytest.mark.parametrize("name", ["ibm_yogait_apose_wide", "ibm_yogait_tpose_t4", "ibm_yogait_y1"])
def test_real_waist_is_free_of_arms(name):
    observation = seen(name)
    points = observation.keypoints[:, :2]
    y = int(points[[11, 12], 1].mean() * 0.35 + points[[23, 24], 1].mean() * 0.65)
    shoulders = abs(points[11, 0] - points[12, 0])
    assert 0.8 * shoulders < width(observation.part("trunk"), y) < 1.5 * shoulders
