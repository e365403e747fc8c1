"""Entries of params.yaml: every fault named, every source read."""

import pytest

from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.cases import read


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "the list is empty"),
        (["photo.jpg"], "expected `name"),
        ([{"name": "../x", "front": "a.jpg"}], "it names a folder"),
        ([{"name": "x", "front": "a.jpg", "statur_cm": 170}], "did you mean `stature_cm`"),
        ([{"name": "x", "stature_cm": 170}], "subjects.x: no photo"),
        ([{"name": "x", "front": "a.jpg"}], "subjects.x: stature_cm is missing"),
        ([{"name": "x", "front": "a.jpg", "stature_cm": 1.75}], "subjects.x: stature_cm: got 1.75.*pass metres"),
        ([{"name": "x", "front": "no/such.jpg", "stature_cm": 175}], "subjects.x: .*such.jpg: no such file"),
        ([{"name": "x", "front": "lib", "stature_cm": 175}], "subjects.x: .*folder"),
        ([{"name": "x", "front": "README.md", "stature_cm": 175}], "subjects.x: .*text file"),
        ([{"name": "x", "front": "skimage:cat", "stature_cm": 175}], "expected skimage:astronaut"),
        (
            [{"name": "x", "front": "skimage:astronaut", "stature_cm": 175, "clothes": "coat"}],
            "subjects.x: clothes: got 'coat'",
        ),
        ([{"name": "x", "front": "rendered:one"}], "expected `rendered:`"),
        ([{"name": "x", "front": "rendered:1"}, {"name": "x", "front": "rendered:2"}], "is there twice"),
    ],
)
def test_faults_are_named(entries, says):
    with pytest.raises(InputError, match=says):
        read(entries, body=None)


def test_sources(body):
    made, real = read(
        [
            {"name": "made", "front": "rendered:3"},
            {"name": "real", "front": "skimage:astronaut", "stature_cm": 168},
        ],
        body,
    )
    assert set(made.photos) == {"front", "side"} and made.truth.stature_m == made.subject.stature_m
    assert (made.subject.clothes, real.subject.clothes) == ("minimal", "any")
    assert real.photos["front"].rgb.shape == (512, 512, 3) and real.subject == Subject(1.68)
