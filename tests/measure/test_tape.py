import math

import numpy as np
import pytest
import torch
from mannequin import ALONG_ARM, ARM_DOWN, arm_radius, ellipse, leg_radius, trunk_radii

from avatarlab.core.errors import InputError
from avatarlab.measure import DEFINITIONS, MEASURES, dimensions, oracle, tapes
from avatarlab.measure.definitions import ANSUR_HEIGHTS, ANSUR_SECTIONS


def trunk_girth(y: float) -> float:
    return ellipse(*trunk_radii(np.array([y]))[0])


def leg_girth(y: float) -> float:
    return 2 * math.pi * float(leg_radius(np.array(y)))


def arm_girth(s: float) -> float:
    return 2 * math.pi * float(arm_radius(np.array(s)))


TRUTH = {
    "head": ellipse(0.075, 0.095),
    "neck": 2 * math.pi * 0.06,
    "chest": trunk_girth(1.28),
    "waist": trunk_girth(1.05),
    "hip": trunk_girth(0.92),
    "wrist": arm_girth(ALONG_ARM["RIGHT_WRIST"]),
    "bicep": arm_girth(ALONG_ARM["RIGHT_BICEP"]),
    "forearm": arm_girth(ALONG_ARM["RIGHT_FOREARM"]),
    "thigh": leg_girth(0.80 - 0.1 * (0.80 - 0.475)),
    "calf": leg_girth(0.36),
    "ankle": min(leg_girth(y) for y in np.linspace(0.075, 0.2, 50)),
    "shoulder_to_crotch": 0.62,
    "arm_length": 0.53,
    "inside_leg": 0.80,
    "shoulder_breadth": 0.4,
    "stature": 1.75,
}
TOLERANCE = {"arm_length": 0.03, "neck": 0.01, "head": 0.01, "thigh": 0.005, "hip": 0.002} | dict.fromkeys(
    ("bicep", "forearm", "calf", "ankle"), 0.004
)
"""Extremes are sought on nine levels, and the doll narrows faster than a limb."""


def test_ansur_tapes_are_the_closed_forms(doll):
    for name, value in tapes(doll, doll.template, "ansur").items():
        assert float(value) == pytest.approx(TRUTH[name], rel=TOLERANCE.get(name, 0.001)), name


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_each_definition_has_the_16(doll, definition):
    assert set(DEFINITIONS[definition]) == set(MEASURES) and len(MEASURES) == 16
    values = tapes(doll, doll.template, definition)
    assert set(values) == set(MEASURES)
    assert all(0.05 < float(x) < 2 for x in values.values())
    assert all(rule.source for rule in DEFINITIONS[definition].values())


def test_named_flaws_of_smpl_anthropometry_are_kept(doll):
    values = tapes(doll, doll.template, "smpl-anthropometry")
    assert float(values["inside_leg"]) == pytest.approx(
        math.dist((0.2, 0.80), (0.12 + leg_radius(0.14), 0.14)), abs=0.05
    )
    assert float(values["hip"]) == pytest.approx(trunk_girth(0.90), rel=1e-3)  # fixed level, not the maximum
    assert float(values["stature"]) > 1.75  # a 3D distance to the heels, not a height


def test_iso_shoulder_width_runs_over_the_back(doll):
    across = {name: float(tapes(doll, doll.template, name)["shoulder_breadth"]) for name in ("ansur", "iso8559")}
    assert across["ansur"] == pytest.approx(0.4, abs=1e-3)
    assert across["iso8559"] > across["ansur"] + 0.02


def test_arms_never_enter_the_trunk(doll):
    """Arms pressed through the trunk change no trunk girth."""
    arms = torch.tensor(["arm" in doll.parts[p] or "hand" in doll.parts[p] for p in doll.part])
    moved = doll.template.clone()
    moved[arms, 0] *= 2.0
    before, after = tapes(doll, doll.template), tapes(doll, moved)
    for name in ("chest", "waist", "hip", "thigh"):
        assert float(before[name]) == float(after[name])


def test_batches_of_any_shape(doll):
    scale = torch.tensor([[0.9, 1.0, 1.1], [1.2, 0.8, 1.05]])
    batch = doll.template * scale[..., None, None]
    alone = tapes(doll, doll.template)
    for name, values in tapes(doll, batch).items():
        assert values.shape == scale.shape
        torch.testing.assert_close(values, alone[name] * scale, rtol=1e-4, atol=0)


def test_gradient_agrees_with_finite_differences(doll):
    generator = torch.Generator().manual_seed(7)
    direction = 1e-3 * torch.randn(3, generator=generator) * doll.template + 0.0
    here = doll.template.double().requires_grad_()
    body = type(doll)(**{**vars(doll), "template": doll.template.double()})
    body.joint_regressor = doll.joint_regressor.double()
    step = 1e-3
    for name, value in tapes(body, here).items():
        slope = (torch.autograd.grad(value, here, retain_graph=True)[0] * direction).sum()
        ends = [tapes(body, (here + sign * step * direction).detach())[name] for sign in (1, -1)]
        assert float(slope) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=1e-7), name


def test_unknown_definition_is_named(doll):
    with pytest.raises(
        InputError, match="definition: got 'iso', expected one of smpl-anthropometry, ansur, iso8559"
    ):
        tapes(doll, doll.template, "iso")


def test_vertices_of_another_mesh_are_refused(doll):
    with pytest.raises(ValueError, match="vertices: got shape"):
        tapes(doll, doll.template[:-1])


def test_nan_is_called_nan(doll):
    with pytest.raises(InputError, match="the vertices contain NaN"):
        tapes(doll, doll.template * float("nan"))


def test_dimensions_under_ansur_names(doll):
    values = {name: float(x) for name, x in dimensions(doll, doll.template).items()}
    assert set(values) == {
        *ANSUR_HEIGHTS,
        *(c for pair in ANSUR_SECTIONS.values() for c in pair),
        "bideltoidbreadth",
    }
    a, b = trunk_radii(np.array([1.05]))[0]
    assert values["waistbreadth"] == pytest.approx(2 * a, rel=1e-3)
    assert values["waistdepth"] == pytest.approx(2 * b, rel=1e-3)
    assert values["buttockheight"] == pytest.approx(0.92, abs=0.004)
    assert values["bideltoidbreadth"] > 0.4


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_agrees_with_trimesh_and_scipy_within_1_mm(open_body, people, definition):
    measured = tapes(open_body, people, definition)
    for k, vertices in enumerate(people):
        for name, girth in oracle.girths(open_body, vertices, definition).items():
            assert float(measured[name][k]) == pytest.approx(girth, abs=1e-3), (name, k)


def test_the_doll_is_a_plausible_stand_in(doll):
    """Its arms hang as the standing pose's do, so that the checks accept it."""
    assert math.degrees(ARM_DOWN) == 75
