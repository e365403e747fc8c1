"""The lab's one look, and rows of pictures."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from avatarlab.show import figures


def test_style_sets_the_palette_and_steady_svg():
    with matplotlib.rc_context():
        figures.style()
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"][0] == figures.PALETTE["blue"]
        assert plt.rcParams["svg.hashsalt"] == "avatarlab"


def test_filmstrip_wraps_into_rows_and_titles_each_picture():
    with matplotlib.rc_context():  # whatever style a test before has left
        figures.style()
        strip = figures.filmstrip([np.zeros((6, 4, 3))] * 7, [f"no. {n}" for n in range(7)], "Seven", columns=4)
    assert len(strip.axes) == 8 and strip.axes[6].get_title("left") == "no. 6" and strip.get_suptitle() == "Seven"
    assert len(strip.axes[7].images) == 0
    plt.close(strip)


def test_legend_stands_outside_the_data():
    figure, axes = plt.subplots()
    axes.plot([0, 1], label="line")
    legend = figures.legend_outside(axes)
    figure.canvas.draw()
    assert legend.get_window_extent().x0 >= axes.get_window_extent().x1
    plt.close(figure)
