import numpy as np
import pytest
import torch

from avatarlab.body.layout import ARKIT_NAMES
from avatarlab.body.open import source


def test_reference_person_is_annys_own(anny, anny_model):
    phenotypes = {"gender": 0.5, "age": 2 / 3}
    rest = anny_model(phenotype_kwargs=phenotypes)["rest_vertices"][0].numpy() @ source.ANNY_TO_SMPLX.T
    assert np.abs(anny.rest(anny.reference())[0] - rest).max() < 1e-5


def test_body_stands_upright_and_faces_forward(anny):
    vertices, heads, _ = anny.rest(anny.reference())
    assert np.ptp(vertices[:, 1]) == pytest.approx(1.84, abs=0.01)
    toe, heel = (heads[anny.bones.index(bone)] for bone in ("toe2-1.L", "foot.L"))
    assert toe[2] > heel[2] + 0.05
    assert heads[anny.bones.index("upperarm01.L")][0] > 0.1


def test_all_arkit_actions_are_there(anny):
    assert set(anny.actions) == set(ARKIT_NAMES)


@pytest.mark.parametrize("value", [-0.4, 0.7])
def test_limb_changes_act_on_both_sides(anny, value):
    theta = torch.zeros(2, len(anny.parameters), dtype=torch.float64)
    theta[1, anny.parameters.index("upperarm-fat-incr")] = value
    before, after = anny.coefficients(theta).numpy()
    moved = np.tensordot(after - before, anny.vertex_shapes, 1)
    assert np.abs(moved).max() > 1e-3
    left, right = moved[anny.vertices[:, 0] > 0.05], moved[anny.vertices[:, 0] < -0.05]
    assert np.abs(left).max() == pytest.approx(np.abs(right).max(), rel=1e-2)


def test_other_versions_are_refused_by_name(anny_model, monkeypatch):
    monkeypatch.setattr(source, "LOCAL_CHANGES", ("no-such-change",))
    with pytest.raises(RuntimeError, match="l-no-such-change"):
        source.load(anny_model)
