import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from avatarlab.measure import MEASURES, sections
from avatarlab.measure.draw import _apart, draw


def test_every_tape_is_named_in_the_figure(doll):
    labels = {name: f"{name} 12.3" for name in MEASURES}
    figure = draw(doll, doll.template[: doll.skin_count], sections(doll, doll.template), labels)
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert set(labels.values()) <= texts
    figure.canvas.draw()
    assert np.asarray(figure.canvas.buffer_rgba())[..., :3].std() > 10
    plt.close(figure)


def test_both_pictures_have_one_scale(doll):
    figure = draw(doll, doll.template[: doll.skin_count], sections(doll, doll.template, "iso8559"))
    figure.canvas.draw()
    metres = [axes.get_ylim()[1] - axes.get_ylim()[0] for axes in figure.axes]
    pixels = [axes.get_window_extent().height for axes in figure.axes]
    assert metres[0] == metres[1] and abs(pixels[0] / pixels[1] - 1) < 0.02
    plt.close(figure)


def test_names_are_kept_apart():
    heights = _apart([0.10, 0.11, 0.12, 0.9])
    assert np.diff(heights).min() > 0.051 and heights[3] == 0.9
