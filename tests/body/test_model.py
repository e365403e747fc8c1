"""``Body`` against the smplx package (oracle), against closed-form truths, and against files that are no bodies."""

import numpy as np
import pytest
import torch

from avatarlab.body import Body, model, poses
from avatarlab.body.layout import JOINT, LANDMARKS
from avatarlab.core.errors import InputError

BATCHES = [(), (1,), (3,), (2, 2)]


def drawn(batch, dtype=torch.float32, seed=7):
    """Random arguments of a forward pass with leading dimensions ``batch``."""
    g = torch.Generator().manual_seed(seed)
    sizes = {"betas": (300, 0.3), "pose": (55 * 3, 0.4), "expression": (100, 0.3), "transl": (3, 1.0)}
    args = {k: torch.randn(*batch, n, generator=g, dtype=dtype) * s for k, (n, s) in sizes.items()}
    return {**args, "pose": args["pose"].unflatten(-1, (55, 3))}


def oracle(path, args, dtype=torch.float32):
    """The smplx package's vertices and first 55 joints for flat arguments (N, ...)."""
    smplx = pytest.importorskip("smplx")
    like = {"num_betas": 300, "num_expression_coeffs": 100, "dtype": dtype, "batch_size": len(args["pose"])}
    package = smplx.create(str(path), model_type="smplx", use_pca=False, flat_hand_mean=True, **like)
    spans = {"global_orient": (0, 1), "body_pose": (1, 22), "jaw_pose": (22, 23), "leye_pose": (23, 24)}
    spans |= {"reye_pose": (24, 25), "left_hand_pose": (25, 40), "right_hand_pose": (40, 55)}
    pose = {name: args["pose"][:, a:b].flatten(1) for name, (a, b) in spans.items()}
    out = package(betas=args["betas"], expression=args["expression"], transl=args["transl"], **pose)
    return out.vertices.detach(), out.joints[:, :55].detach()


def apart(a, b):
    return float((a - b).abs().max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_smplx_package_within_10_micrometres(body_and_path, dtype):
    loaded, path = body_and_path
    body = loaded if dtype == torch.float32 else Body.load(path).double()
    flat = drawn((4,), dtype)
    vertices, joints = oracle(path, flat, dtype)
    for batch in [(4,), (2, 2), (4, 1)]:
        out = body(**{name: x.unflatten(0, batch) for name, x in flat.items()})
        assert out.vertices.shape == (*batch, *vertices.shape[1:]) and out.vertices.dtype == dtype
        assert apart(out.vertices.reshape_as(vertices), vertices) < 1e-5
        assert apart(out.joints.reshape_as(joints), joints) < 1e-5


@pytest.mark.parametrize("batch", BATCHES)
def test_batches_are_the_single_bodies_side_by_side(made_body, batch):
    args = drawn(batch)
    out = made_body(**args)
    assert out.vertices.shape == (*batch, 10475, 3) and out.joints.shape == (*batch, 55, 3)
    for index in np.ndindex(*batch):
        single = made_body(**{name: x[index] for name, x in args.items()})
        assert apart(out.vertices[index], single.vertices) < 1e-5


def test_leading_dimensions_broadcast(body_and_path):
    body, _ = body_and_path
    args = drawn(())
    poses_ = drawn((5,))["pose"]
    for shared in ((), (1,)):
        betas = args["betas"].expand(*shared, 300)
        out = body(betas=betas, pose=poses_, expression=args["expression"])
        assert apart(out.vertices[3], body(args["betas"], poses_[3], args["expression"]).vertices) < 1e-5
    faces = drawn((4,))["expression"]
    grown = body(pose=args["pose"], expression=faces, transl=args["transl"])
    assert grown.vertices.shape[0] == grown.joints.shape[0] == 4
    grid = body(betas=drawn((2, 1))["betas"], pose=poses_)
    assert grid.vertices.shape[:2] == grid.joints.shape[:2] == (2, 5)


def test_only_some_components_are_the_rest_zero(made_body):
    args = drawn(())
    few = made_body(args["betas"][:10], args["pose"], args["expression"][:7])
    padded = [
        torch.cat([x[:n], torch.zeros(len(x) - n)]) for x, n in ((args["betas"], 10), (args["expression"], 7))
    ]
    assert apart(few.vertices, made_body(padded[0], args["pose"], padded[1]).vertices) < 1e-5


def test_a_subset_is_that_part_of_the_whole(body_and_path):
    body, _ = body_and_path
    chosen = torch.tensor([body.skin_count - 1, 0, 17, 17, 2500])
    args = drawn((2,))
    whole, part = body(**args), body(**args, vertices=chosen)
    assert apart(part.vertices, whole.vertices[:, chosen]) < 1e-5
    assert torch.equal(part.joints, whole.joints)
    assert torch.equal(body.joints_only(**args), whole.joints)


def test_subsets_are_kept_but_not_for_ever_and_follow_the_type(made_path):
    body = Body.load(made_path)
    for k in range(model.SUBSETS_KEPT + 2):
        body(vertices=[k])
    assert len(body._subsets) == model.SUBSETS_KEPT
    assert body.double()(vertices=[3]).vertices.dtype == torch.float64


def test_without_arguments_it_is_the_template(body_and_path):
    body, _ = body_and_path
    assert apart(body().vertices, body.template) < 1e-5
    assert apart(body(pose=poses.tpose()).vertices, body.template) < 1e-5
    assert apart(body().joints, body.joint_regressor @ body.template) < 1e-5


def test_in_the_t_pose_shape_adds_its_directions(made_body, made_arrays):
    args = drawn(())
    expected = made_arrays["v_template"] + made_arrays["shapedirs"][:, :, :300] @ args["betas"].numpy()
    expected += made_arrays["shapedirs"][:, :, 300:] @ args["expression"].numpy()
    out = made_body(betas=args["betas"], expression=args["expression"])
    assert apart(out.vertices, torch.tensor(expected)) < 1e-5


def test_the_root_turns_everything_rigidly_about_the_pelvis(body_and_path):
    body, _ = body_and_path
    args = drawn(())
    args["pose"][0] = 0
    turned = {**args, "pose": args["pose"].clone(), "transl": torch.tensor([1.0, 2.0, 3.0])}
    turned["pose"][0, 1] = torch.pi / 2
    before, after = body(**{**args, "transl": None}), body(**turned)
    pelvis = before.joints[0]
    quarter = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    for old, new in zip(before, after, strict=True):
        assert apart((old - pelvis) @ quarter.T + pelvis + turned["transl"], new) < 2e-5


def test_rotations_are_the_same_pose_as_matrices(made_body):
    roma = pytest.importorskip("roma")
    pose = drawn((2,))["pose"]
    assert apart(made_body(pose=pose).vertices, made_body(rotations=roma.rotvec_to_rotmat(pose)).vertices) < 1e-5


def test_gradients_agree_with_finite_differences(made_path):
    body = Body.load(made_path).double()
    args = {name: x.requires_grad_() for name, x in drawn((), torch.float64).items()}
    chosen = torch.arange(0, 10475, 2100)

    def both(betas, pose, expression, transl):
        out = body(betas, pose, expression, transl, vertices=chosen)
        return out.vertices, out.joints[::9]

    short = (args["betas"][:5], args["pose"], args["expression"][:3], args["transl"])
    assert torch.autograd.gradcheck(both, short, eps=1e-6, atol=1e-7, fast_mode=True)


def test_gradients_at_the_t_pose_are_finite(body_and_path):
    body, _ = body_and_path
    pose = poses.tpose().requires_grad_()
    body(pose=pose).vertices.square().sum().backward()
    assert torch.isfinite(pose.grad).all() and pose.grad.abs().max() > 0


def test_a_file_without_labels_gets_those_of_the_layout(made_body):
    assert made_body.landmarks == LANDMARKS
    assert made_body.skin_count == 10475 and len(made_body.expression_names) == 100
    owner = JOINT["left_wrist"]
    assert made_body.parts[made_body.part[owner]] == "l_hand"
    assert len(made_body.sha256) == 64


def test_a_file_with_labels_keeps_its_own(made_arrays):
    header = {"landmarks": {"nose": 5}, "parts": ["all"], "skin_vertices": 10420, "expression_names": ["smile"]}
    body = Body({**made_arrays, "part": np.zeros(10475, np.uint8)}, header)
    assert body.landmarks == {"nose": 5} and body.parts == ("all",) and body.skin_count == 10420
    assert body.expression_names == ("smile",)


def test_old_files_have_ten_and_ten_components(made_arrays, tmp_path):
    old = {**made_arrays, "shapedirs": np.ascontiguousarray(made_arrays["shapedirs"][:, :, :20])}
    np.savez(tmp_path / "smplx_old.npz", **old)
    body = Body.load(tmp_path / "smplx_old.npz")
    assert (body.beta_slots, body.expression_slots) == (10, 10)
    with pytest.raises(ValueError, match="betas: got 11 components, expected at most 10"):
        body(betas=torch.zeros(11))


def test_prior_of_a_plain_file_is_ten_standard_normals(made_body):
    for sex in model.SEXES:
        mean, covariance = made_body.shape_prior(sex)
        assert torch.equal(mean, torch.zeros(10)) and torch.equal(covariance, torch.eye(10))


def test_prior_of_unknown_sex_has_the_moments_of_both_together(made_arrays):
    rng = np.random.default_rng(7)
    prior = {}
    for sex in ("male", "female"):
        root = rng.normal(size=(4, 4))
        prior |= {f"shape_mean_{sex}": rng.normal(size=4), f"shape_cov_{sex}": root @ root.T + np.eye(4)}
    body = Body({**made_arrays, **prior})
    people = [
        rng.multivariate_normal(prior[f"shape_mean_{s}"], prior[f"shape_cov_{s}"], 200_000)
        for s in model.SEXES[:2]
    ]
    mean, covariance = body.shape_prior("unknown")
    assert np.abs(np.concatenate(people).mean(0) - mean.numpy()).max() < 0.05
    assert np.abs(np.cov(np.concatenate(people).T) - covariance.numpy()).max() < 0.1
    assert np.allclose(body.shape_prior("female")[0], prior["shape_mean_female"])


def test_a_sex_that_is_none_is_refused(made_body):
    with pytest.raises(InputError, match="sex: got 'm'"):
        made_body.shape_prior("m")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"betas": torch.zeros(301)}, "betas: got 301"),
        ({"expression": torch.zeros(101)}, "expression: got 101"),
        ({"pose": torch.zeros(165)}, "pose: got shape"),
        ({"rotations": torch.zeros(55, 3)}, "rotations: got shape"),
        ({"transl": torch.zeros(2)}, "transl: got shape"),
        ({"vertices": [[0, 1]]}, "vertices: got shape"),
        ({"pose": torch.zeros(55, 3), "rotations": torch.zeros(55, 3, 3)}, "both given"),
    ],
)
def test_wrong_arguments_are_refused_by_name(made_body, args, text):
    with pytest.raises(ValueError, match=text):
        made_body(**args)


# ---- finding and reading files


def test_the_body_is_searched_in_the_order_of_the_docstring(tmp_path, monkeypatch):
    monkeypatch.delenv("AVATARLAB_BODY", raising=False)
    monkeypatch.setattr(model, "LICENSED", tmp_path / "licensed")
    monkeypatch.setattr(model, "OPEN_BODY", tmp_path / "smplx_open.npz")
    with pytest.raises(InputError, match="smplx_open.npz: no such file; it is part of every checkout"):
        model.find()
    (tmp_path / "licensed").mkdir()
    names = ["smplx_open.npz", "licensed/SMPLX_FEMALE.npz", "licensed/SMPLX_NEUTRAL.npz"]
    for name in names:
        (tmp_path / name).touch()
        assert model.find() == tmp_path / name
    (tmp_path / "licensed" / "FLAME_NEUTRAL.npz").touch()
    assert model.find() == tmp_path / names[-1]
    monkeypatch.setenv("AVATARLAB_BODY", str(tmp_path / "mine.npz"))
    assert model.find() == tmp_path / "mine.npz"
    assert model.find(tmp_path / "this.npz") == tmp_path / "this.npz"


def test_no_file_a_directory_and_a_pickle_are_refused(tmp_path):
    for name, text in (("none.npz", "no such file"), ("", "is a directory"), ("a.pkl", "avatarlab.body.licensed")):
        with pytest.raises(InputError, match=text):
            Body.load(tmp_path / name)


def test_text_and_truncated_files_are_refused(made_path, tmp_path):
    (tmp_path / "text.npz").write_text("not a body")
    whole = made_path.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("text.npz", "cut.npz"):
        with pytest.raises(InputError, match=f"{name}: not a readable npz"):
            Body.load(tmp_path / name)


def test_a_damaged_file_is_refused(made_arrays, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", v_template=made_arrays["v_template"])
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[2000:2100] = bytes(100)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match="not a readable npz"):
        Body.load(tmp_path / "a.npz")
