"""ASF and AMC: a skeleton of three bones whose positions are known in closed form, and lines that are wrong."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.motion.formats import asf
from avatarlab.motion.formats.archive import members
from avatarlab.motion.formats.euler import euler

UNIT = 0.0254 / 0.45

SKELETON = """# made by hand
:version 1.10
:name made
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   none
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name arm
     direction 1 0 0
     length 2
     axis 0 0 90 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name hand
     direction 1 0 0
     length 1
     axis 0 0 0 XYZ
    dof rz
  end
  begin
     id 3
     name stiff
     direction 0 1 0
     length 3
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root arm stiff
    arm hand
  end
"""
HEAD = "#!OML:ASF nowhere\n:FULLY-SPECIFIED\n:DEGREES\n"
FRAME = "1\nroot 1 2 3 0 0 0\narm 0 0 0\nhand 0\n"


def positions(amc, skeleton=SKELETON):
    """Places of one-frame motion by joint, in units of the file."""
    recording = asf.read(skeleton, HEAD + amc)
    return dict(zip(recording.names, recording.positions[0] / UNIT, strict=True))


def test_the_rest_pose_lies_where_the_lengths_say():
    at = positions(FRAME)
    assert np.allclose(at["root"], [1, 2, 3]) and np.allclose(at["arm"], [1, 2, 3])
    assert np.allclose(at["hand"], [3, 2, 3]) and np.allclose(at["hand_end"], [4, 2, 3])
    assert np.allclose(at["stiff_end"], [1, 5, 3])


def test_a_bone_turns_about_its_own_axes_and_takes_its_children_along():
    # the arm's x axis is the world's y: 90 degrees about it bring +x to -z
    at = positions("1\nroot 0 0 0 0 0 0\narm 90 0 0\nhand 90\n")
    assert np.allclose(at["hand"], [0, 0, -2])
    assert np.allclose(at["hand_end"] - at["hand"], [0, 1, 0])


def test_the_root_turns_everything():
    at = positions("1\nroot 0 0 0 0 0 90\narm 0 0 0\nhand 0\n")
    assert np.allclose(at["hand"], [0, 2, 0]) and np.allclose(at["stiff_end"], [-3, 0, 0])


def test_angles_are_applied_x_first():
    angles = np.random.default_rng(1).uniform(-170, 170, (5, 3))
    frames = [f"{k}\nroot 0 0 0 0 0 0\narm {a} {b} {c}\nhand 0\n" for k, (a, b, c) in enumerate(angles, 1)]
    recording = asf.read(SKELETON, HEAD + "".join(frames))
    quarter = Rotation.from_euler("z", 90, degrees=True)
    slow = [quarter * Rotation.from_euler("xyz", abc, degrees=True) * quarter.inv() for abc in angles]
    mine = recording.rotations[:, recording.names.index("arm")]
    assert np.allclose(mine, [turn.as_matrix() for turn in slow], atol=1e-12)


@pytest.mark.parametrize("letters", ["x", "zy", "zxy", "YZX", "xyx"])
def test_quick_euler_angles_are_scipys(letters):
    angles = np.random.default_rng(2).uniform(-4, 4, (7, len(letters)))
    assert np.allclose(
        euler(letters, angles), Rotation.from_euler(letters.upper(), angles).as_matrix(), atol=1e-12
    )


def test_radians_and_another_order_of_the_root_and_windows_line_ends():
    turned = SKELETON.replace("order TX TY TZ RX RY RZ", "order RZ RX RY TY TX TZ").replace(
        "length 0.45", "length 1.0"
    )
    amc = f"1\nroot {np.pi / 2} 0 0 2 1 3\narm 0 0 0\nhand 0\n".replace("\n", "\r\n")
    recording = asf.read(turned.replace("\n", "\r\n"), HEAD.replace("DEGREES", "RADIANS") + amc)
    at = dict(zip(recording.names, recording.positions[0] / 0.0254, strict=True))
    assert np.allclose(at["root"], [1, 2, 3]) and np.allclose(at["hand"], [1, 4, 3])


def test_bones_may_come_in_any_order_and_the_rate_is_the_callers(tmp_path):
    paths = tmp_path / "a.asf", tmp_path / "a.amc"
    paths[0].write_bytes(SKELETON.encode() + b"# \xc7\xff\n")
    paths[1].write_text(HEAD + "1\nhand 90\nroot 0 0 0 0 0 0\narm 0 0 0\n2\nhand 0\nroot 0 0 0 0 0 0\narm 0 0 0\n")
    recording = asf.read(*paths, rate=60)
    assert len(recording) == 2 and recording.rate == 60 and recording.form == "asf" and recording.up == "y"
    assert len(recording.frames(slice(1, 2))) == 1
    moved = positions(FRAME.replace("1 2 3", "0 0 0"))
    assert np.allclose(recording.rest / UNIT, [moved[name] for name in recording.names])


@pytest.mark.parametrize(
    ("amc", "said"),
    [
        ("", "has no frames"),
        ("1\nroot 1 2 3 0 0 0\narm 0 0 0\n", "'hand' is not in the first frame"),
        ("1\nroot 1 2 3 0 0 0\narm 0 0 0\nhand 0\nfoot 1\n", "text:8: got bone 'foot'"),
        (FRAME + "2\nroot 1 2 3 0 0 0\narm 0 0\nhand 0\n", "text:10: got 'arm 0 0', expected 'arm' and 3"),
        (FRAME + "2\nroot 1 2 3 0 0 0\narm 0 0 nan\nhand 0\n", "text:10"),
        (FRAME + "2\nroot 1 2 3 0 0 0\narm 0 0 x\nhand 0\n", "text:10"),
        (FRAME + "2\nroot 1 2 3 0 0 0\nhand 0\narm 0 0 0\n", "text:10: got 'hand 0'"),
        (FRAME + "3\nroot 1 2 3 0 0 0\narm 0 0 0\nhand 0\n", "text:8: got '3', expected a frame's number"),
        (FRAME + "2\nroot 1 2 3 0 0 0\narm 0 0 0\n", "ends inside frame 2"),
        ("root 1 2 3 0 0 0\narm 0 0 0\nhand 0\n", "text:4"),
    ],
)
def test_wrong_motion_is_refused_with_its_line(amc, said):
    with pytest.raises(InputError, match=said):
        asf.read(SKELETON, HEAD + amc)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (":hierarchy", ":tree", "no section :hierarchy"),
        ("length 0.45", "length 0", "unit of length"),
        ("angle deg", "angle gon", "got 'gon'"),
        ("direction 1 0 0\n     length 2", "direction 1 0\n     length 2", "got 2 numbers, expected 3"),
        ("     length 2\n", "", "a bone without length"),
        ("length 2", "length two", "'two'"),
        ("axis 0 0 90 XYZ", "axis 0 0 90 XYY", "'XYY'"),
        ("dof rz", "dof tz", "got 'tz'"),
        ("name hand", "name arm", "got 'arm', expected one that is new"),
        ("root arm stiff", "root arm", "'stiff' hangs on nothing"),
        ("arm hand", "arm hand leg", "bone 'leg'"),
        ("arm hand", "arm hand stiff", "'stiff' has two parents"),
        ("order TX TY TZ RX RY RZ", "order TX TY TZ RX RY", "order of the root"),
        ("     axis 0 0 0 XYZ\n  end\n:h", "     axis 0 0 0 XYZ\n:h", "without its end"),
    ],
)
def test_a_wrong_skeleton_is_refused(old, new, said):
    assert old in SKELETON
    with pytest.raises(InputError, match=said):
        asf.skeleton(SKELETON.replace(old, new, 1))


def test_a_rate_of_zero_is_refused():
    with pytest.raises(InputError, match="rate"):
        asf.read(SKELETON, HEAD + FRAME, rate=0)


def test_a_take_of_cmu_stands_on_its_floor():
    archive = DATA / "mocap" / "hdm05_asfamc.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    found = {}
    for name, content in members(archive, (".asf", ".amc")):
        found[name.rsplit("/", 1)[-1]] = content.decode("utf-8", "replace")
        takes = [name for name in found if name.endswith(".amc") and f"{name[:6]}.asf" in found]
        if takes:
            break
    recording = asf.read(found[f"{takes[0][:6]}.asf"], found[takes[0]])
    assert len(recording.names) == 38 and len(recording) > 60
    assert np.percentile(recording.positions[..., 1].min(1), 10) == pytest.approx(0, abs=0.08)
    assert np.allclose(np.linalg.det(recording.rotations), 1)
    shin = recording.offsets[recording.names.index("lfoot")]
    assert 0.3 < np.linalg.norm(shin) < 0.5
