"""JupyterLab as `make lab` starts it: local, behind a token, harmless to files; widgets are alive in it."""

import pytest
from browse import TOKEN, answer, jupyterlab, open_notebook, run_all, save
from toy import CELLS, toy_project

from avatarlab import ROOT
from avatarlab.lab import start

LIVE = """import ipywidgets

body = view.mesh(vertices, faces)
slider = ipywidgets.FloatSlider(1, min=0.5, max=3, step=0.5, description="scale")
label = ipywidgets.Label("scale is 1.0")


def turn(change):
    view.move(body, vertices * change.new)
    label.value = f"scale is {change.new:.1f}"


slider.observe(turn, "value")
display(slider, label)
view.show(view.plot(body))"""


def test_options_of_the_lab_win_over_the_users():
    line = start.options(["--port=1", "--ServerApp.ip=0.0.0.0"], "secret")
    assert line.index("--ServerApp.ip=127.0.0.1") > line.index("--ServerApp.ip=0.0.0.0")
    assert "--IdentityProvider.token=secret" in line and f"--ServerApp.root_dir={ROOT}" in line


@pytest.mark.parametrize("user", [0, 1000])
def test_root_is_allowed_only_to_root(monkeypatch, user):
    monkeypatch.setattr(start.os, "geteuid", lambda: user)
    assert ("--allow-root" in start.options([], "x")) == (user == 0)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A toy project with a second notebook that has a live slider."""
    toy = toy_project(tmp_path_factory.mktemp("lab") / "project")
    toy.write(*CELLS[:-1], LIVE, name="notebooks/explore/live.ipynb")
    return toy


@pytest.fixture(scope="module")
def address(project, tmp_path_factory):
    with jupyterlab(project.root, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@pytest.fixture
def page(chromium, address):
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    yield context.new_page()
    context.close()


def test_served_to_this_machine_only_and_with_the_token(address):
    assert answer(f"{address}/api/contents?token={TOKEN}") == 200
    assert answer(f"{address}/api/contents") == 403
    assert answer(f"{address}/api/contents?token=wrong") == 403
    port = int(address.rpartition(":")[2])
    with open("/proc/net/tcp") as table:
        bound = [line.split()[1] for line in table.readlines()[1:]]
    assert [b for b in bound if b.endswith(f":{port:04X}")][0].startswith("0100007F:")


@pytest.mark.browser
def test_open_run_all_and_save_leave_every_byte(project, address, page):
    path = project.root / "notebooks/10_toy.ipynb"
    before = path.read_bytes()
    open_notebook(page, address, "notebooks/10_toy.ipynb")
    for _ in range(2):
        run_all(page)
        page.get_by_text("48 vertices").first.wait_for()
        save(page)
        assert path.read_bytes() == before
    assert page.get_by_text("48 vertices").first.is_visible()  # outputs stay in the browser
    assert not page.locator(".jp-Dialog").is_visible()
    results = sorted(p.name for p in (project.root / ".run/scratch/toy").iterdir())
    assert results == ["metrics.json", "vertices.npy"] and not (project.root / "data").exists()


@pytest.mark.browser
def test_a_slider_moves_the_mesh(address, page):
    open_notebook(page, address, "notebooks/explore/live.ipynb")
    run_all(page)
    canvas = page.locator(".jp-OutputArea canvas").last
    canvas.wait_for(timeout=150_000)
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(2_000)
    before = canvas.screenshot()
    page.locator(".noUi-handle").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_text("scale is 2.5").wait_for(timeout=75_000)
    page.wait_for_timeout(1_000)
    assert canvas.screenshot() != before
