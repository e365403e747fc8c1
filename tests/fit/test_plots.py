"""The figures of fitted people: what they draw is what the fit says."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from avatarlab.fit import plots, replaced
from avatarlab.fit.overlays import row_table
from avatarlab.fit.person import FittedPerson, PersonPhotos


@pytest.fixture(scope="module")
def whole(person, observed, fitted):
    photos = {view: shot.photo for view, shot in person.shots.items()}
    return FittedPerson(person.subject, PersonPhotos(photos, observed), fitted)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def lines(axes):
    """Label -> line."""
    return {line.get_label(): line for line in axes.lines}


def test_pictures_by_view(body, whole):
    for pictures in (plots.plot_observations(whole.look), plots.overlays(body, whole)):
        assert [*pictures] == ["front", "side"]
        assert all(one.dtype == np.uint8 and one.ndim == 3 for one in pictures.values())


def test_row_widths_are_those_of_the_table(body, whole, observed):
    figure = plots.row_widths(body, {"ida": whole})
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == ["ida, front", "ida, side"]
    drawn, betas = lines(figure.axes[0]), whole.result.person.betas()
    table = row_table(body, observed["front"], betas, whole.result.poses[0], whole.result.cameras[0])
    np.testing.assert_array_equal(drawn["fitted body"].get_xdata(), table.body_mm)
    np.testing.assert_array_equal(drawn["photo"].get_xdata(), table.photo_mm)
    assert np.nanmean(np.abs(drawn["average body"].get_xdata() - table.photo_mm)) > np.nanmean(
        np.abs(table.body_mm - table.photo_mm)
    )


def test_nobody_s_widths_are_an_empty_figure(body, person):
    nobody = FittedPerson(
        person.subject, PersonPhotos({}, {}, None, "nobody"), replaced(body, person.subject, "nobody")
    )
    assert plots.row_widths(body, {"": nobody}).axes[0].lines[:] == []


def test_spreads_tell_read_guessed_and_withheld_apart(whole):
    quality = replace(whole.result.quality, unseen=("calf", "ankle"), withheld={"ankle": "cut off", "hip": "coat"})
    known = FittedPerson(whole.subject, whole.look, replace(whole.result, quality=quality))
    axes = plots.plot_std({"": known}).axes[0]
    drawn, names = lines(axes), [label.get_text() for label in axes.get_yticklabels()]

    def named(label):
        return {names[int(at)] for at in drawn[label].get_ydata()}

    assert named("withheld") == {"ankle", "hip"} and named("guessed from the rest") == {"calf"}
    assert len(named("read off the photos")) == 12
    (at,) = drawn["guessed from the rest"].get_xdata()
    assert at == pytest.approx(10 * quality.tape_sd_cm["calf"])


def test_each_tone_has_its_interval(whole):
    tone = whole.result.quality.skin
    figure = plots.tones({"ida": tone, "ava": tone})
    assert len(figure.axes) == 2 and tuple(figure.axes[1].lines[0].get_xdata()) == tuple(tone.monk_interval)
    assert figure.axes[0].get_title(loc="left").startswith("ida, Monk") or figure.axes[0].get_title().startswith(
        "ida"
    )
