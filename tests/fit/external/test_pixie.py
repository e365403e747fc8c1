"""PIXIE's encode on a stand-in with its keys, shapes and conventions; its weights are not at hand."""

import sys

import pytest
import roma
import torch

from avatarlab.body.layout import JOINT, PARENTS
from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.target import target
from avatarlab.fit.external import load, pixie

SIZES = {"global_pose": 6, "partbody_pose": 102, "neck_pose": 6, "head_pose": 6}
SIZES |= {"left_wrist_pose": 6, "right_wrist_pose": 6, "body_cam": 3, "shape": 200, "exp": 50, "jaw_pose": 3}


def six(turns):
    """Rotations (N, 3, 3) as PIXIE's numbers (1, 6 N): two columns, row by row."""
    return turns[..., :2].reshape(1, -1)


def absolute(turns, joint):
    chain = [joint]
    while PARENTS[chain[-1]] >= 0:
        chain.append(PARENTS[chain[-1]])
    whole = torch.eye(3)
    for one in reversed(chain):
        whole = whole @ turns[one]
    return whole


def said(turns):
    """What ``encode`` returns of a body with these rotations (22, 3, 3), root in camera axes."""
    left, right = JOINT["left_wrist"], JOINT["right_wrist"]
    mirror = torch.diag(torch.tensor([-1.0, 1, 1]))
    parts = [j for j in range(1, 22) if j not in (JOINT["neck"], JOINT["head"], left, right)]
    body = {
        "global_pose": six(turns[0]), "partbody_pose": six(turns[parts]), "neck_pose": six(turns[JOINT["neck"]]),
        "head_pose": six(absolute(turns, JOINT["head"])), "right_wrist_pose": six(absolute(turns, right)),
        "left_wrist_pose": six(mirror @ absolute(turns, left) @ mirror),
        "jaw_pose": torch.zeros(1, 3), "shape": torch.randn(1, 200), "exp": torch.zeros(1, 50),
        "body_cam": torch.tensor([[1.0, 0.0, 0.0]]),
    }  # fmt: skip
    assert {key: body[key].shape[1] for key in SIZES} == SIZES
    return body


class StandIn:
    """An object with PIXIE's encode: checks its input, answers a scaled truth."""

    def __init__(self, turns, px_per_m):
        self.turns, self.px_per_m, self.images = turns, px_per_m, None

    def encode(self, data, threthold=True, keep_local=True, copy_and_paste=False):
        self.images = data["body"]
        body = said(self.turns)
        body["body_cam"][0, 0] = self.px_per_m
        return {"body": body, "moderator_weight": None}


def test_rotations_survive_pixies_conventions():
    turns = roma.random_rotmat(22)
    assert torch.allclose(pixie.rotations(said(turns)), turns, atol=1e-5)
    assert not torch.allclose(pixie.rotations(said(turns) | {"head_pose": six(turns[15])}), turns, atol=0.1)


@pytest.fixture
def front(person, observed, monkeypatch):
    monkeypatch.setattr(pixie, "observe", lambda photo, view: observed["front"])
    shot, seen = person.shots["front"], observed["front"]
    turns = roma.rotvec_to_rotmat(shot.pose[:22]).float()
    turns[0] = shot.camera.viewmat[:3, :3]
    return shot, seen, turns


def test_pose_and_camera_from_encode(body, person, front):
    shot, seen, turns = front
    with torch.no_grad():
        pelvis = body(betas=person.betas, pose=shot.pose).joints[0]
    place = pelvis @ shot.camera.viewmat[:3, :3].float().T + shot.camera.viewmat[:3, 3].float()
    side = pixie._square(seen)[2]
    model = StandIn(turns, 2 * seen.focal_px / float(place[2]) / side)
    found, guess = pixie.Pixie(model, body)(shot.photo, "front")
    view = guess.views[0]
    assert found is seen and guess.betas is None
    assert torch.allclose(view.rotation, turns[0], atol=1e-3) and not view.pose[0].any()
    assert torch.allclose(view.pose[1:22], shot.pose[1:22], atol=1e-3)
    assert float(view.shift[2]) == pytest.approx(float(place[2]), rel=0.02)
    assert torch.allclose(view.shift[:2], place[:2], atol=0.05), "where the photo shows the hips"
    assert float(view.log_focal.exp()) == pytest.approx(seen.focal_px * target(seen).factor, rel=1e-4)


def test_the_crop_holds_the_person_in_the_middle(body, front):
    shot, seen, turns = front
    model = StandIn(turns, 1.0)
    pixie.Pixie(model, body)(shot.photo)
    image, large = model.images["image"], model.images["image_hd"]
    assert image.shape == (1, 3, 224, 224) and large.shape == (1, 3, 1024, 1024)
    assert image.dtype == torch.float32 and image.min() >= 0 and 0.5 < image.max() <= 1
    left, top, side = pixie._square(seen)
    rows, columns = seen.mask.any(1).nonzero()[0], seen.mask.any(0).nonzero()[0]
    assert top == pytest.approx((rows[0] + rows[-1] + 1 - side) / 2, abs=1) and side > 1.09 * (rows[-1] - rows[0])
    assert left == pytest.approx((columns[0] + columns[-1] + 1 - side) / 2, abs=1)
    u, v = seen.keypoints[0, :2]
    at = [round(float(x)) for x in ((v - top) / side * 224, (u - left) / side * 224)]
    assert torch.allclose(image[0, :, at[0], at[1]], torch.tensor(shot.photo.rgb[int(v), int(u)]) / 255, atol=0.15)


def test_no_size_no_guess(body, front):
    shot, seen, turns = front
    assert pixie.Pixie(StandIn(turns, -1.0), body)(shot.photo) == (seen, None)


def test_loading_the_authors_code_from_its_folder(tmp_path, body, monkeypatch):
    package = tmp_path / "pixie" / "pixielib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "pixie.py").write_text(
        "class PIXIE:\n    def __init__(self, config=None, device='cuda:0'):\n        self.on = device\n"
    )
    for name in ("pixielib", "pixielib.pixie"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = list(sys.path)
    assert load("pixie", body, tmp_path).model.on in ("cpu", "cuda") and sys.path == before
    for name in ("pixielib", "pixielib.pixie"):
        monkeypatch.delitem(sys.modules, name)
    (package / "pixie.py").write_text("import no_such_package\n")
    with pytest.raises(InputError, match="PIXIE does not start .*no_such_package"):
        load("pixie", body, tmp_path)
    for name in ("pixielib", "pixielib.pixie"):
        monkeypatch.delitem(sys.modules, name, raising=False)
