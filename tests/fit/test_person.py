"""One person from photos to results, as everybody is fitted: decoded, observed, fitted, or replaced by a placeholder."""

import numpy as np
import pytest
import torch
from PIL import Image

from avatarlab.core.errors import InputError
from avatarlab.fit import FitError, fit, fit_person
from avatarlab.fit.person import FittedPerson, PersonPhotos, look_at


@pytest.fixture
def look(person, observed):
    """What the rendered person's photos show."""
    return PersonPhotos({view: shot.photo for view, shot in person.shots.items()}, observed)


@pytest.fixture(scope="module")
def wall(tmp_path_factory):
    """A photo of nobody."""
    path = tmp_path_factory.mktemp("wall") / "secret name.png"
    Image.effect_noise((300, 400), 20).convert("RGB").save(path)
    return path


def test_it_is_the_fit_of_what_is_seen(body, person, look):
    heard = []
    front = PersonPhotos(look.photos, {"front": look.observations["front"]})
    made = fit_person(front, person.subject, body, steps=2, progress=heard.append)
    expected = fit(look.observations["front"], person.subject, body, steps=2)
    assert torch.equal(made.result.person.betas(), expected.person.betas())
    assert made.subject == person.subject and heard[-1].done == heard[-1].total


def test_views_go_together(look, person, fitted):
    views = [*FittedPerson(person.subject, look, fitted).views()]
    assert [view for view, *_ in views] == ["front", "side"]
    for k, (view, photo, seen, pose, camera) in enumerate(views):
        assert photo is look.photos[view] and seen is look.observations[view]
        assert pose is fitted.poses[k] and camera is fitted.cameras[k]


def test_a_path_is_decoded_and_called_after_its_view(person, tmp_path):
    Image.fromarray(person.shots["front"].photo.rgb).save(tmp_path / "secret name.png")
    look = look_at({"front": tmp_path / "secret name.png"}, "tight")
    assert look.photos["front"].name == look.observations["front"].name == "front photo"
    assert look.observations["front"].capture == "everyday" and look.nobody is None
    assert np.array_equal(look.photos["front"].rgb, person.shots["front"].photo.rgb)


def test_a_photo_of_nobody_is_refused_or_replaced(body, person, wall):
    with pytest.raises(InputError, match="^front photo: no person was found"):
        fit_person({"front": wall}, person.subject, body)
    made = fit_person({"front": wall}, person.subject, body, on_failure="placeholder")
    assert made.result.person.placeholder and [*made.views()] == []
    assert "front photo: no person was found" in made.result.quality.reasons[0]
    assert made.result.person.stature_m == person.stature_m


def test_a_photo_that_is_none_is_refused_whatever_was_asked(body, person, tmp_path):
    for on_failure in ("fail", "placeholder"):
        with pytest.raises(InputError, match="no such file"):
            fit_person({"front": tmp_path / "none.jpg"}, person.subject, body, on_failure=on_failure)


def test_a_bad_fit_is_told(body, person, look):
    tiny = type(person.subject)(1.05)
    with pytest.raises(FitError, match="no body fits"):
        fit_person(PersonPhotos(look.photos, {"front": look.observations["front"]}), tiny, body, steps=1)
