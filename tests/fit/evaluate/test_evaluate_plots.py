"""The figures say what the numbers say: titles, marks and legends hold the figures that were put in."""

import numpy as np
import pytest

from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.fit.evaluate import plots
from avatarlab.fit.evaluate.panel import INPUTS, mesh_references, references
from avatarlab.fit.evaluate.predictions import gaussian
from avatarlab.fit.evaluate.repeatability import Taken
from avatarlab.fit.evaluate.tables import METHODS, answers, flat, rows


@pytest.fixture(scope="module")
def table(tested, records, tmp_path_factory):
    known, meshes = references(tmp_path_factory.mktemp("empty"), tested), mesh_references(tested)
    found = {("a", one): answers(tested, records, None, INPUTS[one], known, meshes) for one in INPUTS}
    return rows(tested, found)


@pytest.fixture(autouse=True)
def closed():
    yield
    plots.plt.close("all")


def texts(axes) -> list[str]:
    return [one.get_text() for one in axes.get_legend().get_texts()]


def test_one_look_shows_every_method(table):
    axes = plots.at_a_glance(table, "a", "front_side").axes[0]
    labels = texts(axes)
    assert len(labels) == len(METHODS) + 1 and "avatarlab (10.0)" in labels and "BMnet, its own people" in labels
    ours = axes.collections[list(plots.MARKS).index("fit")].get_offsets()
    assert np.asarray(ours)[:, 0] == pytest.approx(np.full(15, 10.0)) and len(axes.get_yticks()) == len(TAPES)


def test_every_set_of_inputs_has_its_bar(table):
    axes = plots.all_sets(table).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    figures = flat(table)
    assert heights == pytest.approx([figures[f"a_{name}_mae15_mm"] for name in INPUTS], abs=0.01)


def test_coverage_and_width_are_drawn_per_tape(table):
    left, right = plots.intervals(table, "front_side").axes
    assert "clean outlines (mean 100 %)" in texts(left)
    assert "without a photo" in texts(right)


def test_errors_are_drawn_in_millimetres(tested):
    given = gaussian(tested.truth + 0.01, np.full(15, 0.01))
    chest = plots.errors(tested, given, "title").axes[0]
    points = np.concatenate([np.asarray(one.get_offsets()) for one in chest.collections[-2:]])
    assert len(points) == len(tested.ids) and points[:, 1] == pytest.approx(np.full(len(points), 10.0))


def test_one_mans_spread_stands_in_the_title():
    tapes = [{"chest": x, "waist": x, "hip": 1.0} for x in (0.98, 1.0, 1.02)]
    taken = [Taken(f"ibm_yogait_{k}", one, one, np.zeros((2, 2, 3))) for k, one in enumerate(tapes)]
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in plots.repeats(taken, 178.0).axes]
    assert titles == ["chest: SD 2.0 cm", "waist: SD 2.0 cm", "hip: SD 0.0 cm"]
