import pytest
from mannequin import ellipse, trunk_radii

from avatarlab.measure import oracle, tapes


def test_the_oracle_knows_an_ellipse(doll):
    radii = trunk_radii(doll.template[doll.landmarks["BELLY_BUTTON"], 1:2].numpy())[0]
    assert oracle.girths(doll, doll.template)["waist"] == pytest.approx(ellipse(*radii), rel=1e-3)


def test_the_oracle_and_the_tapes_agree_on_the_doll(doll):
    measured = tapes(doll, doll.template)
    for name, girth in oracle.girths(doll, doll.template).items():
        assert float(measured[name]) == pytest.approx(girth, abs=1e-3), name
