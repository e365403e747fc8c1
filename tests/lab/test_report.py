"""Rendered reports: everything in one file, nothing that changes from run to run, 3D that turns up offline."""

import re

import pytest
from toy import CELLS, make_notebook

from avatarlab.lab import report

NOTES = {"points": "number of points"}


def executed(*outputs: dict, source: str = "f()", tags=()) -> dict:
    nb = make_notebook(*CELLS[:2], source)
    nb["cells"][2] |= {"outputs": list(outputs), "metadata": {"tags": list(tags)}}
    return nb


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data: str) -> dict:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {k.replace("_", "/"): v for k, v in data.items()},
    }


def test_prose_code_and_results_are_there_and_defaults_are_not():
    html = report.page(executed(stream("48 vertices\n")), "10_toy", NOTES)
    assert "<h1" in html and "48 vertices" in html and "<title>10_toy</title>" in html
    assert "size_m" not in html  # the cell with the defaults


def test_parameters_of_the_run_come_with_their_comments():
    html = report.page(
        executed(source="# Parameters\npoints = 5\nout = 'x'", tags=["injected-parameters"]), "a", NOTES
    )
    assert re.search(r"<code>points</code></td><td>5</td><td>number of points</td>", html)
    assert "<code>out</code>" not in html


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([stream("a\n"), stream("b\n")], [stream("a\nb\n")]),
        ([stream("a\n"), stream("3 s", "stderr"), stream("b\n")], [stream("a\nb\n"), stream("4 s", "stderr")]),
        ([stream("<object at 0x7f1234567890>")], [stream("<object at 0x7fabcdef0123>")]),
        ([stream("/tmp/ipykernel_12/34.py:1")], [stream("/tmp/ipykernel_56/78.py:1")]),
    ],
)
def test_what_changes_from_run_to_run_is_left_out(one, other):
    assert report.page(executed(*one), "a", {}) == report.page(executed(*other), "a", {})


def test_the_richest_form_is_shown():
    assert "<b>rich</b>" in report.page(executed(shown(text_html="<b>rich</b>", text_plain="poor")), "a", {})
    assert "base64,AAAA" in report.page(executed(shown(image_png="AA\nAA", text_plain="poor")), "a", {})
    assert "<em>so</em>" in report.page(executed(shown(text_markdown="*so*")), "a", {})
    html = report.page(
        executed({"output_type": "display_data", "data": {"image/svg+xml": "<svg></svg>"}}), "a", {}
    )
    assert "<svg></svg>" in html
    assert "&lt;poor&gt;" in report.page(executed(shown(text_plain="<poor>")), "a", {})


def test_failure_is_on_top_and_the_traceback_in_colour():
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m: v"]}
    html = report.page(executed(error), "a", {}, failure="10_toy.ipynb, cell 3: E: v <x>")
    assert html.index("cell 3: E: v &lt;x&gt;") < html.index("<main>")
    assert "\x1b" not in html and 'class="error"' in html


@pytest.mark.browser
def test_opens_offline_with_a_canvas_and_no_complaint(finished, offline):
    page, complaints = offline(finished.root / "reports/10_toy.html")
    frame = page.frame_locator("iframe")
    frame.locator("canvas").first.wait_for(timeout=150_000)
    page.wait_for_timeout(500)
    assert complaints == []
    assert page.locator("img").count() == 1 and page.locator("pre.text").count() == 1
    colours = page.locator("iframe").screenshot()
    assert len(colours) > 5_000  # an empty frame compresses to less
    page.locator("label[for=hide]").click()
    assert not page.locator(".code").first.is_visible()
