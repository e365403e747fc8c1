"""The front page: every stage with picture, figures and time; offline; readable on a phone; honest about what is missed."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from toy import make_notebook
from tube import Tube, person

from avatarlab import ROOT
from avatarlab.evaluate.targets import Row
from avatarlab.export import materials, whole_body, write_glb
from avatarlab.export.glb_reader import Glb
from avatarlab.lab import frontpage, notebook

DVC = """
stages:
  body: {desc: Makes it <well>, cmd: x, deps: [notebooks/10_body.ipynb], outs: [models/body]}
  benchmark:
    desc: Says how well
    cmd: x
    deps: [models/body]
    outs: [data/benchmark: {persist: true}]
"""
TARGETS = "10_body:\n  off_mm: {at_most: 2}\n41_benchmark:\n  far_cm: {at_most: 5}\n  gone_pct: {equals: 0}\n"


def picture(width: int, height: int, colour=None) -> str:
    """An img tag of noise, or of one colour."""
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    image = Image.fromarray(noise) if colour is None else Image.new("RGB", (width, height), colour)
    data = io.BytesIO()
    image.save(data, "PNG")
    return f'<img alt="figure" src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}">'


def decoded(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.fixture
def project(tmp_path):
    """Two stages, of which the first has run and the second misses a target and lacks a figure."""
    for folder in ("notebooks", "reports/metrics", "reports/timings", "data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "notebooks/targets.yaml").write_text(TARGETS)
    for name in ("10_body", "41_benchmark"):
        (tmp_path / f"notebooks/{name}.ipynb").write_text(notebook.text(make_notebook("# A", "x = 1")))
    (tmp_path / "reports/metrics/10_body.json").write_text('{"off_mm": 1.5, "file_mb": 3}')
    (tmp_path / "reports/metrics/41_benchmark.json").write_text('{"far_cm": 7.25}')
    (tmp_path / "reports/10_body.html").write_text(picture(600, 300))
    (tmp_path / "reports/timings/10_body.json").write_text(json.dumps({"seconds": 200.4}))
    return tmp_path


def test_every_stage_has_a_card_with_figures_targets_and_time(project):
    page = frontpage.write(project).read_text()
    done, lacking = re.findall("<article.*?</article>", page)
    assert 'href="10_body.html"' in done and "Makes it &lt;well&gt;." in done and "ran 3 min 20 s" in done
    assert "1.5\u2009mm" in done and "≤\u20092" in done and 'class="met"' in done and "data:image/jpeg" in done
    assert "has not run here" in lacking and "href" not in lacking
    assert "7.25\u2009cm" in lacking and "✗ 2 of 2 missed" in lacking and "missing" in lacking


def test_missed_targets_are_counted_and_listed(project):
    page = frontpage.page(project)
    assert "Missed targets: 1; without a figure: 1" in page and "1 of 3" in page
    assert "41 benchmark: far" in page.partition("Missed targets")[2]


def test_page_before_anything_has_run_says_so(project):
    for path in [*project.glob("reports/*.html"), *project.glob("reports/*/*.json")]:
        path.unlink()
    page = frontpage.page(project)
    assert "once stage 50 has run" in page and "<iframe" not in page and "0 of 2" in page


def test_real_project_shows_every_stage_and_asks_nobody():
    page = frontpage.page(ROOT)
    for name in (path.stem for path in notebook.stages().values()):
        assert (
            page.count(f'class="node met" href="{name}.html"')
            + page.count(f'class="node free" href="{name}.html"')
            + (page.count(f'class="node missed" href="{name}.html"'))
            == 2
        ), name
    outside = re.sub(r'srcdoc="[^"]*"', "", page)
    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', outside) == [] and "@import" not in outside


def test_thumbnail_is_the_fitting_figure_that_shows_most():
    report = picture(400, 40) + picture(500, 300, "red") + picture(600, 300) + picture(300, 900)
    assert decoded(frontpage.thumbnail(report)).size == (frontpage.THUMBNAIL_PX, frontpage.THUMBNAIL_PX // 2)
    assert decoded(frontpage.thumbnail(picture(300, 900))).size == (300, 300)  # cut, else it would be a thread
    assert frontpage.thumbnail("<p>none</p>") == ""


def test_headline_has_missed_figures_first_and_no_copies():
    rows = [
        Row("a", "free", 1),
        Row("a", "10_body__x", 1),
        Row("a", "good", 1, met=True),
        Row("a", "bad", 9, met=False),
    ]
    assert [row.key for row in frontpage.headline(rows)] == ["bad", "good"]
    assert [row.key for row in frontpage.headline(rows, 9)] == ["bad", "good", "free"]
    counts = [Row("a", "none", 0, "equals 0", met=True), Row("a", "off_mm", 3, "at most 4", met=True)]
    assert [row.key for row in frontpage.headline(counts)] == ["off_mm", "none"]  # a size says more than a yes


@pytest.mark.parametrize(
    ("key", "parts"),
    [("chest_mae_mm", ("chest mae", "mm")), ("jitter_100m_s3", ("jitter", "100 m/s³")), ("mpjve_cm_s", ("mpjve", "cm/s")),
     ("people", ("people", ""))],
)  # fmt: skip
def test_a_key_ends_in_its_unit(key, parts):
    assert frontpage.split_unit(key) == parts


@pytest.mark.parametrize(
    ("seconds", "words"), [(48.4, "48 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")]
)
def test_durations_in_words(seconds, words):
    assert frontpage.duration(seconds) == words


@pytest.fixture
def exported(project):
    """The same, with an avatar of stage 50: a made body of one colour."""
    body, place = Tube(), project / "data/export/tube/avatar.glb"
    place.parent.mkdir(parents=True)
    write_glb(place, body, person(), lod=whole_body(body))
    return project


def test_an_exported_avatar_has_its_materials_colour(exported):
    glb = Glb(exported / "data/export/tube/avatar.glb")
    colours = frontpage.vertex_colors(glb)
    assert colours.shape == glb.posed().shape
    assert np.abs(colours - materials.NEUTRAL_SKIN_SRGB).max(axis=1).min() < 0.01


@pytest.mark.browser
def test_avatars_turn_offline(exported, offline):
    page, complaints = offline(frontpage.write(exported))
    handle = page.locator(".views iframe").first.element_handle()
    inside = handle.content_frame()
    inside.wait_for_function("window.turntable", timeout=60_000)
    before = inside.evaluate("window.turntable.camera.position.x")
    inside.wait_for_function(f"Math.abs(window.turntable.camera.position.x - ({before})) > 0.01", timeout=60_000)
    fonts = [text for text in complaints if "KaTeX" in text]  # k3d's style names files that the page may not fetch
    assert complaints == fonts and page.locator("figcaption").inner_text() == "tube"


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_no_scrolling_sideways_and_no_complaint(project, offline, width):
    page, complaints = offline(frontpage.write(project), viewport=(width, 844))
    assert page.evaluate("document.documentElement.scrollWidth") <= width and complaints == []
    kind, other = ("tall", "wide") if width < 640 else ("wide", "tall")
    assert page.locator(f"svg.{kind}").is_visible() and not page.locator(f"svg.{other}").is_visible()
