"""CMU's exponential maps in text: sign, chain and skeleton, and rows that are wrong."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.motion.formats import expmap
from avatarlab.motion.formats.archive import members

NAMES = expmap.skeleton()[0]


def text(*rows) -> str:
    return "\n".join(",".join(f"{x:.9g}" for x in row) for row in rows) + "\n"


def still(**turns) -> np.ndarray:
    row = np.zeros(expmap.COLUMNS)
    for name, turn in turns.items():
        k = 3 + 3 * NAMES.index(name)
        row[k : k + 3] = turn
    return row


def test_the_skeleton_is_a_whole_body_of_subject_02():
    names, parents, offsets = expmap.skeleton()
    assert len(names) == 38 and parents[0] == -1 and all(p < k for k, p in enumerate(parents))
    assert names[2] == "lfemur" and names[8] == "rfemur" and names[24] == "lhand" and names[33] == "rhand"
    thighs = [np.linalg.norm(offsets[names.index(shin)]) for shin in ("ltibia", "rtibia")]
    assert thighs == pytest.approx([0.4286, 0.4283], abs=1e-3)


def test_a_stored_rotation_is_the_transposed_one_and_takes_the_children_along():
    recording = expmap.read(text(still(), still(lhumerus=(0, 0, np.pi / 2))))
    at = dict(zip(recording.names, recording.positions[0], strict=True))
    arm = at["lradius"] - at["lhumerus"]
    assert np.allclose(arm, [0, -0.27461, 0], atol=1e-5)  # from +x: R(-90 deg about z) lowers the left arm
    assert np.allclose(at["lwrist"] - at["lradius"], [0, -0.189402, 0], atol=1e-5)


def test_rotations_add_up_down_the_chain_as_scipy_says():
    chance = np.random.default_rng(3)
    rows = [still(), np.r_[1, 2, 3, chance.normal(size=expmap.COLUMNS - 3)]]
    recording = expmap.read(text(*rows))
    turn, joint = Rotation.identity(), NAMES.index("lthumb")
    while joint >= 0:
        turn = Rotation.from_rotvec(rows[1][3 + 3 * joint : 6 + 3 * joint]).inv() * turn
        joint = recording.parents[joint]
    assert np.allclose(recording.rotations[0, NAMES.index("lthumb")], turn.as_matrix(), atol=1e-7)
    assert np.allclose(recording.root[0], np.array([1, 2, 3]) * 0.0254 / 0.45)


def test_the_first_row_is_a_t_pose_and_left_out():
    rows = text(still(), still(head=(0.1, 0, 0)), still())
    assert len(expmap.read(rows)) == 2 and len(expmap.read(rows, t_pose=True)) == 3
    assert expmap.read(rows).rate == 120 and expmap.read(rows, rate=60).rate == 60
    with pytest.raises(InputError, match="no frames after its T-pose"):
        expmap.read(text(still()))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("1,2,3", "text:3: got 3 numbers, expected 117"), (",".join(["nan"] * 117), "text:3: got NaN"),
     (",".join(["x"] * 117), "text:3: got 'x"), (",".join(["1"] * 118), "text:3: got 118")],
)  # fmt: skip
def test_wrong_rows_are_refused_with_their_line(wrong, said):
    with pytest.raises(InputError, match=said):
        expmap.read(text(still(), still()) + wrong + "\n")


def test_a_rate_of_zero_and_an_empty_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="rate"):
        expmap.read(text(still(), still()), rate=0)
    (tmp_path / "a.txt").write_text("\n\n")
    with pytest.raises(InputError, match="a.txt: has no frames"):
        expmap.read(tmp_path / "a.txt")


def test_a_real_take_bends_knees_the_right_way_and_stands_on_its_floor():
    archive = DATA / "mocap" / "cmu_expmap_txt.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    found = (content for name, content in members(archive, (".txt",)) if "walking" in name)
    recording = expmap.read(next(found).decode())
    at = {name: recording.positions[:, k] for k, name in enumerate(recording.names)}
    assert np.percentile(recording.positions[..., 1].min(1), 20) == pytest.approx(0, abs=0.08)
    forward = recording.rotations[:, 0] @ [0, 0, 1]
    hip, knee, ankle = at["lfemur"], at["ltibia"], at["lfoot"]
    bend = ((knee - (hip + ankle) / 2) * forward).sum(1)
    assert np.median(bend) > 0 and bend.max() > 0.05
