"""What is kept of a fitted person: every file, under the name that is told."""

import json

import numpy as np
import pytest
from PIL import Image

from avatarlab.body import Person
from avatarlab.core.errors import InputError
from avatarlab.fit import replaced, results
from avatarlab.fit.person import FittedPerson, PersonPhotos
from avatarlab.measure import Measurements, measure
from avatarlab.photo import Observation


@pytest.fixture(scope="module")
def whole(person, observed, fitted):
    """The rendered person, fitted."""
    photos = {view: shot.photo for view, shot in person.shots.items()}
    return FittedPerson(person.subject, PersonPhotos(photos, observed), fitted)


def test_everything_that_is_told_is_there(body, whole, observed, tmp_path):
    names = results.write(tmp_path / "new", body, whole, ("iso8559", "ansur"), results.EXTRAS)
    assert sorted(names) == sorted(path.name for path in (tmp_path / "new").iterdir()) and len({*names}) == 11
    place = tmp_path / "new"
    assert Person.load(place / "person.npz", body).betas().equal(whole.result.person.betas())
    assert json.loads((place / "quality.json").read_text())["usable"]
    assert Measurements.load(place / "measurements.json").definition == "iso8559"
    assert Measurements.load(place / "measurements_ansur.json") == measure(body, whole.result.person)
    assert np.array_equal(np.asarray(Image.open(place / "mask_side.png")) > 127, observed["side"].mask)
    assert Observation.load(place / "observation_front.npz").view == "front"
    assert max(Image.open(place / "overlay_front.png").size) == 900
    targets = json.loads((place / "silhouette_targets.json").read_text())
    assert {view["mask"] for view in targets["views"].values()} <= {*names}


def test_only_what_was_asked_for(body, whole, tmp_path):
    assert results.write(tmp_path, body, whole, ()) == ["person.npz", "quality.json"]
    with pytest.raises(InputError, match="extras: got pictures, expected some of masks, observations"):
        results.write(tmp_path, body, whole, (), ["pictures"])


def test_of_a_placeholder_there_is_no_view(body, person, tmp_path):
    nobody = FittedPerson(
        person.subject, PersonPhotos({}, {}, None, "nobody"), replaced(body, person.subject, "nobody")
    )
    names = results.write(tmp_path, body, nobody, extras=results.EXTRAS)
    assert {*names} == {"person.npz", "quality.json", "measurements.json", "silhouette_targets.json"}
    assert Measurements.load(tmp_path / "measurements.json").measures["chest"].value is None
