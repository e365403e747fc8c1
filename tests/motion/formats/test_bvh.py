"""BVH: channels in any order, joints that are moved, ends, and files that are cut or wrong."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.motion.formats import bvh
from avatarlab.motion.formats.archive import members

FILE = """HIERARCHY
ROOT hips
{
  OFFSET 5 5 5
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT left arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 0 20 0
    }
  }
  JOINT plain
  {
    OFFSET 0 -30 0
    CHANNELS 0
  }
}
MOTION
Frames: 2
Frame Time: 0.0125
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 0 0 90
"""


def at(recording, frame):
    return dict(zip(recording.names, recording.positions[frame], strict=True))


def test_places_are_where_the_offsets_and_angles_put_them():
    recording = bvh.read(FILE)
    assert recording.names == ("hips", "left arm", "left arm_end", "plain") and recording.parents == (-1, 0, 1, 0)
    assert len(recording) == 2 and recording.rate == pytest.approx(80) and recording.form == "bvh"
    still, turned = at(recording, 0), at(recording, 1)
    assert np.allclose(still["hips"], [0.01, 0.02, 0.03])  # place channels stand for the OFFSET
    assert np.allclose(still["left arm_end"], [0.11, 0.22, 0.03])
    # the root turns x to y; the arm about its own x, then with the root: y to z
    assert np.allclose(turned["left arm"], [0.01, 0.12, 0.03])
    assert np.allclose(turned["left arm_end"] - turned["left arm"], [0, 0, 0.2])
    assert np.allclose(turned["plain"], [0.31, 0.02, 0.03])
    assert np.allclose(recording.rest, [[0, 0, 0], [0.1, 0, 0], [0.1, 0.2, 0], [0, -0.3, 0]])


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YXZ", "ZYX", "YZX", "XZY"])
def test_channels_apply_from_the_left_in_the_order_listed(order):
    channels = " ".join(f"{axis}rotation" for axis in order)
    text = FILE.replace("Zrotation Xrotation Yrotation", channels).replace("1 2 3 90 0 0", "1 2 3 10 20 30")
    mine = bvh.read(text).rotations[1, 0]
    a, b, c = (
        Rotation.from_euler(axis.lower(), x, degrees=True) for axis, x in zip(order, (10, 20, 30), strict=True)
    )
    assert np.allclose(mine, (a * b * c).as_matrix())


def test_a_joint_with_places_of_its_own_is_moved_frame_by_frame():
    text = FILE.replace(
        "CHANNELS 3 Zrotation Yrotation Xrotation", "CHANNELS 4 Yposition Zrotation Yrotation Xrotation"
    )
    text = text.replace("1 2 3 0 0 0 0 0 0", "1 2 3 0 0 0 7 0 0 0").replace(
        "1 2 3 90 0 0 0 0 90", "1 2 3 90 0 0 0 0 0 0"
    )
    recording = bvh.read(text)
    assert np.allclose(at(recording, 0)["left arm"], [0.11, 0.09, 0.03])
    assert np.allclose(at(recording, 1)["left arm"], [0.01, 0.12, 0.03])
    assert np.allclose(recording.frames(slice(1, 2)).positions[0], recording.positions[1])


def test_units_and_the_vertical_are_the_callers():
    recording = bvh.read(FILE, scale=1.0, up="z")
    assert np.allclose(recording.root[0], [1, 2, 3]) and recording.up == "z"
    with pytest.raises(InputError, match="metres a unit"):
        bvh.read(FILE, scale=0)


def test_a_daz_skeleton_is_known_by_its_joints():
    names = sorted(bvh.DAZ - {"hip"})
    joints = "".join(f"JOINT {name}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n}}\n" for name in names)
    head = f"HIERARCHY\nROOT hip\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{joints}}}\n"
    assert bvh.read(head + "MOTION\nFrames: 1\nFrame Time: 0.01\n5\n").form == "daz"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Frame Time: 0.0125", "Frame Time: 0", "text:23: Frame Time: got 0"),
        ("Frame Time: 0.0125", "Frame Time: nan", "text:23: Frame Time: got NaN"),
        ("Frames: 2", "Frames: 3", "has 2 frames where its header says 3"),
        ("1 2 3 90 0 0 0 0 90\n", "", "has 1 frames where its header says 2"),
        ("1 2 3 90 0 0 0 0 90", "1 2 3 90 0 0 0 0", "text:25: got 8 numbers, expected 9"),
        ("1 2 3 90 0 0 0 0 90", "1 2 3 90 0 0 0 0 inf", "text:25: got NaN or infinite"),
        ("1 2 3 90 0 0 0 0 90", "1 2 3 90 0 0 0 0 x", "text:25"),
        ("CHANNELS 3 Z", "CHANNELS 4 Z", "text:9: CHANNELS"),
        ("Yrotation Xrotation\n", "Yrotation Wrotation\n", "text:9: CHANNELS"),
        ("Zposition", "Yposition", "text:5: CHANNELS"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "text:8: OFFSET: got 2 numbers"),
        ("    OFFSET 10 0 0\n", "", "'left arm' has no OFFSET"),
        ("JOINT plain", "JOINT left arm", "got 'left arm', expected one that is new"),
        ("JOINT plain", "ROOT plain", "expected one ROOT"),
        ("MOTION\n", "", "text:21: got 'Frames: 2'"),
        ("}\nMOTION", "MOTION", "before the hierarchy is closed"),
        ("Frames: 2\n", "", "expected `Frames: <n>`"),
        ("HIERARCHY", "PK binary", "is this a BVH file"),
    ],
)
def test_wrong_files_are_refused_with_the_line(old, new, said):
    assert old in FILE
    with pytest.raises(InputError, match=said):
        bvh.read(FILE.replace(old, new, 1))


def test_a_file_cut_inside_its_hierarchy_is_refused(tmp_path):
    path = tmp_path / "cut.bvh"
    path.write_text(FILE[:150])
    with pytest.raises(InputError, match="cut.bvh: has no section MOTION"):
        bvh.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        bvh.read(tmp_path / "none.bvh")


def test_a_take_of_the_daz_conversion_begins_in_a_t_pose():
    archive = DATA / "mocap" / "cmu_daz_bvh.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    content = next(content for name, content in members(archive, (".bvh",)) if name.endswith("14_37.bvh"))
    recording = bvh.read(content.decode())
    assert recording.form == "daz" and recording.rate == pytest.approx(120, abs=0.1)
    first = dict(zip(recording.names, recording.positions[0], strict=True))
    arm = first["lHand"] - first["lShldr"]
    assert abs(arm[1]) < 0.1 and 0.4 < arm[0] < 0.7
    assert np.percentile(recording.positions[4:, :, 1].min(1), 20) == pytest.approx(0, abs=0.1)
