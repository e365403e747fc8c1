"""The page about a fit: it shows what strangers wrote as text, opens offline, and holds what the notebook shows."""

import html
import re

import pytest
import sitter


@pytest.fixture(scope="module")
def text():
    return (sitter.made()[1] / "report.html").read_text(encoding="utf-8")


def test_a_hostile_name_is_shown_and_not_run(text):
    assert "<script" not in text and html.escape(sitter.SUBJECT) in text
    assert text.count(html.escape(sitter.SUBJECT)) == 2, "title and heading"


def test_nothing_is_fetched_from_anywhere(text):
    assert "default-src 'none'" in text and not re.search(r"https?://", text)
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', text)
    assert len(sources) == 8 and all(source.startswith("data:") for source in sources)


def test_it_says_what_the_notebook_says(text):
    for title in (
        *("What the photos show", "The body over the photo", "Row widths", "Measurements (ansur)"),
        *("Measurements (iso8559)", "What the photos leave open", "The skin", "What to know"),
    ):
        assert f"<h2>{title}" in text, title
    assert "<td>as given</td>" in text and "<td>stature</td>" in text
    assert "IoU 0.9" in text and "front photo" not in re.sub(r'src="[^"]*"', "", text)
    assert len(text) < 1_500_000


def test_a_placeholder_says_so_on_top():
    text = (sitter.made_of_nobody()[1] / "report.html").read_text(encoding="utf-8")
    assert '<p class="failure">This is a placeholder' in text and "no person was found" in text
    assert "<h2>The body over the photo" not in text and "<h2>What the photos show" not in text


@pytest.mark.browser
def test_a_browser_shows_it_whole(offline):
    page, complaints = offline(sitter.made()[1] / "report.html")
    assert page.title() == sitter.SUBJECT and page.inner_text("h1") == sitter.SUBJECT
    shown = page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth > 300)")
    assert shown == [True] * 7 and page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and complaints == []
