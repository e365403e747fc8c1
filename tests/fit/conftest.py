"""The open body and one rendered person, observed and fitted once for all tests of the room."""

from dataclasses import replace

import pytest

from avatarlab.fit import fit
from avatarlab.photo import observe
from avatarlab.synthetic.rendered import rendered_person


@pytest.fixture(scope="session")
def body(open_body):
    return open_body


@pytest.fixture(scope="session")
def person(body):
    """A rendered person with front and side view."""
    return rendered_person(body, seed=3)


@pytest.fixture(scope="session")
def observed(person):
    """What its photos show, by view; it wears paint, so its outline is believed like a studio's."""
    return {view: replace(observe(shot.photo, view), capture="studio") for view, shot in person.shots.items()}


@pytest.fixture(scope="session")
def fitted(body, person, observed):
    """The fit of both views."""
    return fit(tuple(observed.values()), person.subject, body)
