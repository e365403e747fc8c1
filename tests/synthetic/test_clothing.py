from dataclasses import replace

import numpy as np
import pytest
import torch

from avatarlab.body import poses
from avatarlab.render import Camera
from avatarlab.synthetic import clothing
from avatarlab.synthetic.clothing import Clothes, wardrobe
from avatarlab.synthetic.conditions import exact_mask

NOTHING = Clothes(0.0, 0.0, 0.0, 0.0, 0.0, seed=0)
FOCAL, AWAY = 2400.0, 8.0


@pytest.fixture(scope="module")
def skin(open_body):
    with torch.no_grad():
        return open_body(betas=open_body.shape_prior("male")[0], pose=poses.apose(40)).vertices[
            : open_body.skin_count
        ]


@pytest.fixture
def even(monkeypatch):
    monkeypatch.setattr(clothing, "FOLDS", 0.0)


def part(body, *names):
    chosen = torch.tensor([body.parts.index(name) for name in names])
    return torch.isin(body.part[: body.skin_count], chosen)


def widths_mm(body, vertices, heights):
    """Breadth of the trunk's silhouette seen from far in front at heights (m), arms held off."""
    camera = Camera.look_at((0, 0, AWAY), (0, 0, 0), focal_px=FOCAL, width=900, height=900)
    mask = exact_mask(vertices, body, camera)
    middle = [camera.project(torch.tensor([[0.0, y, 0.0]]))[0][0] for y in heights]
    rows = [(mask[int(p[1])], int(p[0])) for p in middle]
    return [1000 * AWAY / FOCAL * (np.argmin(row[x:]) + np.argmin(row[:x][::-1])) for row, x in rows]


@pytest.mark.parametrize("ease_m", [0.005, 0.015])
def test_a_garment_widens_the_outline_by_twice_its_ease(open_body, skin, even, ease_m):
    waist = float(skin[open_body.landmarks["BELLY_BUTTON"], 1])
    heights = [waist + 0.06, waist + 0.09, waist + 0.12]
    dressed = wardrobe(open_body).dressed(skin, replace(NOTHING, shirt_m=ease_m))
    wider = np.subtract(widths_mm(open_body, dressed, heights), widths_mm(open_body, skin, heights))
    assert wider.mean() == pytest.approx(2000 * ease_m, rel=0.15, abs=3)


def test_wearing_nothing_changes_nothing(open_body, skin):
    assert torch.equal(wardrobe(open_body).dressed(skin, NOTHING), skin)


def test_hair_and_shoes_leave_the_trunk_alone(open_body, skin):
    dressed = wardrobe(open_body).dressed(skin, Clothes(0.0, 0.0, 0.06, 0.04, 0.009, seed=0))
    moved = (dressed - skin).norm(dim=1)
    assert moved[part(open_body, "trunk", "l_thigh", "r_thigh", "l_upper_arm", "r_upper_arm")].max() < 1e-4
    assert moved[open_body.landmarks["HEAD_TOP"]] == pytest.approx(0.06, rel=0.2)


def test_soles_lengthen_the_person_downward(open_body, skin):
    dressed = wardrobe(open_body).dressed(skin, replace(NOTHING, sole_m=0.03))
    assert float(skin[:, 1].min() - dressed[:, 1].min()) == pytest.approx(0.03, rel=0.15)
    assert float(dressed[:, 1].max()) == float(skin[:, 1].max())


def test_shirt_and_trousers_meet_and_do_not_add_up(open_body):
    regions = wardrobe(open_body)
    both = regions.shirt + regions.trousers
    assert both.max() < 1.01
    assert both[part(open_body, "trunk")].median() > 0.95
    assert both[part(open_body, "l_hand", "r_hand", "l_eye")].max() < 0.01


def test_looseness_is_as_documented():
    worn = [clothing.clothes(np.random.default_rng(seed), "female") for seed in range(600)]
    ease = np.array([w.shirt_m for w in worn])
    loose = ease >= clothing.LOOSE_M[0]
    tight = ease[~loose]
    assert tight.mean() == pytest.approx(clothing.EASE_M, rel=0.25)
    assert 0.08 < loose.mean() < 0.25
    assert max(w.hair_m for w in worn) <= clothing.HAIR_LIMIT_M
    men = [clothing.clothes(np.random.default_rng(seed), "male").hair_m for seed in range(300)]
    assert np.mean(men) < 0.6 * np.mean([w.hair_m for w in worn])
