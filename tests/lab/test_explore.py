"""explore/body.ipynb, live in JupyterLab: a slider moves the body, the measurements follow, the file stays."""

import pytest
from browse import jupyterlab, open_notebook, run_all, save

from avatarlab import ROOT

NOTEBOOK = ROOT / "notebooks/explore/body.ipynb"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with jupyterlab(ROOT, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@pytest.mark.browser
@pytest.mark.slow
def test_a_slider_moves_the_body_and_the_measurements_follow(chromium, address):
    before = NOTEBOOK.read_bytes()
    page = chromium.new_page(viewport={"width": 1500, "height": 1100})
    open_notebook(page, address, "notebooks/explore/body.ipynb")
    run_all(page)
    canvas = page.locator(".jp-OutputArea canvas").last
    canvas.wait_for(timeout=200_000)
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(2_000)
    pictures = [canvas.screenshot()]
    for slider, keys in (("stature (cm)", 10), ("shape 2 (SD)", 15), ("elbows", 30)):
        page.locator(f".widget-hslider:has-text('{slider}') .noUi-handle").focus()
        for _ in range(keys):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(4_000)
        pictures.append(canvas.screenshot())
    assert len(set(pictures)) == 4
    page.locator(".widget-html table").get_by_text("173.0").wait_for()  # 168 and ten steps of half a centimetre
    save(page)
    page.close()
    assert NOTEBOOK.read_bytes() == before


MOTION = ROOT / "notebooks/explore/motion.ipynb"


@pytest.mark.browser
@pytest.mark.slow
def test_a_chosen_clip_plays_and_its_errors_are_told(chromium, address):
    if not (ROOT / "data/motion/motion.npz").exists():
        pytest.skip("no library of motion yet; make repro builds it")
    before = MOTION.read_bytes()
    page = chromium.new_page(viewport={"width": 1500, "height": 1300})
    open_notebook(page, address, "notebooks/explore/motion.ipynb")
    run_all(page)
    canvas = page.locator(".jp-OutputArea canvas").last
    canvas.wait_for(timeout=200_000)
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(2_000)
    still = canvas.screenshot()
    page.get_by_role("button", name="play").last.click()
    page.wait_for_timeout(3_000)
    assert canvas.screenshot() != still
    told = page.locator(".widget-html table").inner_text()
    page.locator(".widget-dropdown:has-text('clip') select").select_option(index=3)
    page.wait_for_function(
        "t => document.querySelector('.widget-html table').innerText != t", arg=told, timeout=200_000
    )
    assert "MPJPE" in told
    save(page)
    page.close()
    assert MOTION.read_bytes() == before
