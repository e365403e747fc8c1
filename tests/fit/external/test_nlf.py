"""NLF's interface on a TorchScript stand-in of the same signature, units and shapes: no real weights are at hand."""

import logging

import numpy as np
import pytest
import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.fit import fit
from avatarlab.fit.estimator.target import target
from avatarlab.fit.external import load, nlf
from avatarlab.photo import Photo


class StandIn(torch.nn.Module):
    """What an NLF file exports, answering with what it was given; it checks what it is asked."""

    def __init__(self, people: dict[str, Tensor], focal_px: float, detects: bool = True):
        super().__init__()
        self.pose, self.betas, self.trans = people["pose"], people["betas"], people["trans"]
        self.joints3d, self.joints2d = people["joints3d"], people["joints2d"]
        self.focal_px, self.detects = focal_px, detects

    def answer(self, images: Tensor, intrinsic_matrix: Tensor | None, model_name: str) -> dict[str, list[Tensor]]:
        assert images.dtype == torch.uint8 and images.dim() == 4 and images.shape[0] == 1 and images.shape[1] == 3
        assert model_name == "smplx"
        k = intrinsic_matrix
        assert k is not None
        assert k.shape[0] == 1 and abs(float(k[0, 0, 0]) - self.focal_px) < 0.01
        assert abs(float(k[0, 0, 2]) - (images.shape[3] - 1) / 2) < 0.01
        return {
            "pose": [self.pose], "betas": [self.betas], "trans": [self.trans],
            "joints3d": [self.joints3d], "joints2d": [self.joints2d],
        }  # fmt: skip

    @torch.jit.export
    def detect_smpl_batched(
        self,
        images: Tensor,
        intrinsic_matrix: Tensor | None = None,
        distortion_coeffs: Tensor | None = None,
        default_fov_degrees: float = 55.0,
        model_name: str = "smpl",
    ) -> dict[str, list[Tensor]]:
        found = self.answer(images, intrinsic_matrix, model_name)
        if not self.detects:  # as the real one: no rows, and pose of another shape
            found = {name: [rows[0][:0]] for name, rows in found.items()}
            found["pose"] = [torch.zeros(0, 55, 3)]
        return found

    @torch.jit.export
    def estimate_smpl_batched(
        self,
        images: Tensor,
        boxes: list[Tensor],
        intrinsic_matrix: Tensor | None = None,
        model_name: str = "smpl",
    ) -> dict[str, list[Tensor]]:
        assert boxes[0].shape[0] == 1 and boxes[0].shape[1] == 4 and float(boxes[0][0, 3]) > 300
        return self.answer(images, intrinsic_matrix, model_name)


def people_of(body: Body, person, half: bool = False, bystander: bool = True) -> dict[str, Tensor]:
    """What NLF says if it is right: somebody else first, then the rendered person from the front."""
    shot = person.shots["front"]
    with torch.no_grad():
        joints = body(betas=person.betas, pose=shot.pose).joints
    local = shot.camera.to_camera(joints) if hasattr(shot.camera, "to_camera") else _local(shot.camera, joints)
    pixels = shot.camera.project(joints)[0]
    pose = shot.pose.clone()
    pose[0] = roma.rotmat_to_rotvec(shot.camera.viewmat[:3, :3].float())
    trans = local[0] - pose.new_tensor([0.0, 0.3, 0.0])
    one = {"pose": pose.reshape(1, 165), "betas": torch.arange(10.0)[None] / 10, "trans": trans[None]}
    one |= {"joints3d": 1000 * local[None], "joints2d": pixels[None] - 0.5}
    other = {"pose": one["pose"] + 1, "betas": one["betas"], "trans": one["trans"] + 1}
    other |= {"joints3d": one["joints3d"] + 1000, "joints2d": one["joints2d"] + 300}
    both = {name: torch.cat([other[name], one[name]]) if bystander else one[name] for name in one}
    return {name: rows.half() if half else rows.float() for name, rows in both.items()}


def _local(camera, points):
    return points @ camera.viewmat[:3, :3].float().T + camera.viewmat[:3, 3].float()


@pytest.fixture
def photo(person, observed, monkeypatch):
    """The front photo; looking at it is not repeated."""
    monkeypatch.setattr(nlf, "observe", lambda photo, view: observed["front"])
    return person.shots["front"].photo


def saved(tmp_path, stand_in: torch.nn.Module):
    torch.jit.script(stand_in).save(str(tmp_path / "nlf_l_stand_in.torchscript"))
    return tmp_path


@pytest.mark.parametrize("half", [False, True])
def test_a_file_of_that_signature_gives_pose_and_camera(tmp_path, body, person, observed, photo, half):
    place = saved(tmp_path, StandIn(people_of(body, person, half), observed["front"].focal_px))
    seen, guess = load("nlf", body, place)(photo, "front")
    shot, view = person.shots["front"], guess.views[0]
    assert seen is observed["front"] and guess.betas is None, (
        "betas of another body's components are worth nothing"
    )
    assert torch.allclose(view.rotation, shot.camera.viewmat[:3, :3].float(), atol=2e-3)
    with torch.no_grad():
        pelvis = body(betas=person.betas, pose=shot.pose).joints[0]
    assert torch.allclose(view.shift, _local(shot.camera, pelvis), atol=3e-3), "metres, not millimetres"
    assert torch.allclose(view.pose[1:22], shot.pose[1:22], atol=2e-3) and not view.pose[0].any()
    assert float(view.log_focal.exp()) == pytest.approx(seen.focal_px * target(seen).factor, rel=1e-4)


def test_the_fit_takes_it_up(body, person, observed, photo):
    _, guess = nlf.Nlf(StandIn(people_of(body, person), observed["front"].focal_px), body)(photo)
    result = fit(observed["front"], person.subject, body, guess=guess, steps=2)
    assert result.quality.views[0].iou > 0.9


def test_nobody_detected_then_asked_with_our_box(body, person, observed, photo):
    people = people_of(body, person, bystander=False)
    _, guess = nlf.Nlf(StandIn(people, observed["front"].focal_px, detects=False), body)(photo)
    assert torch.allclose(guess.views[0].pose[1:22], person.shots["front"].pose[1:22], atol=1e-3)


def test_only_others_or_nobody_is_no_guess(body, person, observed, photo, caplog):
    people = people_of(body, person)
    others = {name: rows[:1] for name, rows in people.items()}
    nobody = {name: rows[:0] for name, rows in people.items()}
    for some in (others, nobody):
        with caplog.at_level(logging.WARNING):
            seen, guess = nlf.Nlf(StandIn(some, observed["front"].focal_px), body)(photo)
        assert guess is None and seen is observed["front"] and "sees nobody where the person is" in caplog.text


def test_other_units_and_other_files_are_refused(tmp_path, body, person, observed, photo):
    people = people_of(body, person)
    metres = people | {"joints3d": people["joints3d"] / 1000}
    with pytest.raises(InputError, match="joints3d puts the pelvis at"):
        nlf.Nlf(StandIn(metres, observed["front"].focal_px), body)(photo)

    class Other:
        def detect_smpl_batched(self, *images, **told):
            return {"poses3d": [], "pose": []}

    with pytest.raises(InputError, match="gives no joints3d, joints2d, trans"):
        nlf.Nlf(Other(), body)(photo)
    (tmp_path / "nlf.torchscript").write_bytes(b"PK not a model")
    with pytest.raises(InputError, match="nlf.torchscript: not a TorchScript that loads"):
        load("nlf", body, tmp_path)


def test_shape_goes_to_a_licensed_body_only(person, observed, photo, body):
    licensed = type("Licensed", (), {"header": {}})()
    model = StandIn(people_of(body, person), observed["front"].focal_px)
    assert torch.allclose(nlf.Nlf(model, licensed)(photo)[1].betas, torch.arange(10.0) / 10)


def test_the_photo_goes_in_as_it_is(body, person, observed, monkeypatch):
    monkeypatch.setattr(nlf, "observe", lambda photo, view: observed["front"])
    given = []

    class Keeps:
        def detect_smpl_batched(self, images, **told):
            given.append(images)
            return {name: [rows] for name, rows in people_of(body, person).items()}

    rgb = np.random.default_rng(0).integers(
        0, 256, (observed["front"].height, observed["front"].width, 3), np.uint8
    )
    nlf.Nlf(Keeps(), body)(Photo(rgb, None, "noise"))
    assert torch.equal(given[0], torch.from_numpy(rgb).permute(2, 0, 1)[None])
