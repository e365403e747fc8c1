import numpy as np
import pytest
import torch

from avatarlab import DATA
from avatarlab.body.layout import JOINT
from avatarlab.body.open import correctives, parity, raw, vertex_order
from avatarlab.body.open.source import PHENOTYPES

MOCAP = DATA / "mocap" / "cmu_hdm05_smpl22_60fps_lp8.npz"


@pytest.fixture(scope="module")
def deformers(anny, t_pose):
    return correctives.Deformers(anny, t_pose, anny.reference())


@pytest.fixture(scope="module")
def posedirs(anny, t_pose):
    return correctives.solve(anny, t_pose, anny.reference(), count=150, seed=0)


def reference_theta(anny, count):
    theta = torch.zeros(count, len(anny.parameters), dtype=torch.float64)
    theta[:, : len(PHENOTYPES)] = 0.5
    theta[:, 1] = 2 / 3
    return theta


def test_our_anny_is_annys_own_forward_pass(anny, anny_model, t_pose, deformers):
    rotations = correctives.random_rotations(3, seed=5)
    vertices, joints = parity.pose_anny(anny_model, anny, t_pose.rotations, reference_theta(anny, 3), rotations)
    order = vertex_order.permutation(anny.vertices)
    for k, rotation in enumerate(rotations):
        assert np.abs(deformers.anny(rotation)[order] - vertices[k]).max() < 2e-5
    assert np.abs(joints[:, 0]).max() == 0


def test_joints_are_annys_bone_heads_exactly(anny, anny_model, t_pose, deformers):
    from avatarlab.body.layout import PARENTS
    from avatarlab.body.open.rig import walk

    rotations = correctives.random_rotations(2, seed=6)
    _, joints = parity.pose_anny(anny_model, anny, t_pose.rotations, reference_theta(anny, 2), rotations)
    for rotation, expected in zip(rotations, joints, strict=True):
        posed = walk(PARENTS, correctives.global_rotations(rotation), deformers.joints)
        assert np.abs(posed - expected).max() < 1e-5


def test_correctives_bring_skinning_onto_anny_in_unseen_poses(deformers, posedirs):
    rotations = correctives.random_rotations(8, seed=99)
    plain = correctives.disagreement(deformers, 0 * posedirs, rotations).mean()
    fitted = correctives.disagreement(deformers, posedirs, rotations).mean()
    assert fitted < 0.3e-3 and fitted < plain / 4


def test_correctives_hold_on_recorded_motion(deformers, posedirs):
    if not MOCAP.exists():
        pytest.skip(f"{MOCAP} is not here; set AVATARLAB_DATA")
    poses = np.load(MOCAP)["poses"]
    chosen = poses[np.random.default_rng(0).choice(len(poses), 50, replace=False)]
    full = np.zeros((50, 55, 3))
    full[:, 1:22] = chosen.reshape(50, 22, 3)[:, 1:]
    rotations = np.stack([raw.rotations_of(torch.from_numpy(p)) for p in full])
    assert correctives.disagreement(deformers, posedirs, rotations).mean() < 0.3e-3  # the promise is 1 mm


def test_only_joints_between_those_a_vertex_hangs_on_bend_it():
    weights = np.zeros((4, 55))
    weights[0, JOINT["left_knee"]] = 1
    weights[1, [JOINT["left_hip"], JOINT["left_ankle"]]] = 0.5
    weights[2, [JOINT["left_collar"], JOINT["right_collar"]]] = 0.5
    weights[3, JOINT["left_foot"]] = 1
    sets = correctives.relevant_joints(weights)
    assert sets[0] == frozenset()
    assert sets[1] == {JOINT["left_knee"], JOINT["left_ankle"]}
    assert sets[2] == {JOINT["left_collar"], JOINT["right_collar"]}
    assert sets[3] == {JOINT["left_foot"]}


def test_correctives_vanish_in_the_t_pose_and_elsewhere(posedirs, t_pose):
    rigid = np.array([not joints for joints in correctives.relevant_joints(t_pose.weights)])
    assert rigid.any() and not posedirs[rigid].any()


def test_poses_are_mirrored_in_distribution():
    poses = correctives.random_poses(4000, seed=1)
    left, right = poses[:, JOINT["left_shoulder"]].mean(0), poses[:, JOINT["right_shoulder"]].mean(0)
    assert left == pytest.approx(right * [1, -1, -1], abs=0.06)
    assert not poses[:, 0].any() and not poses[:, JOINT["left_eye_smplhf"]].any()


def test_least_squares_finds_a_known_matrix():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((2, 3, 9)).astype(np.float32)
    features = rng.standard_normal((80, 9)).astype(np.float32)
    blend = np.tile(np.eye(3, dtype=np.float32), (80, 2, 1, 1))
    residual = np.einsum("mai,pi->pma", truth, features)
    assert correctives._least_squares(blend, features, residual) == pytest.approx(truth, abs=5e-3)
