"""What every room's tests share: one thread per process, the open body, and a real Chromium."""

import os
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a maths library; two cores serve all tests

import pytest

from avatarlab.body import Body
from avatarlab.body.model import OPEN_BODY

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    # WebGL without a graphics card
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]


LONGEST = ("test_pipeline.py", "test_worker_faults.py", "test_chaos.py")


def pytest_collection_modifyitems(items):
    """The longest files first: they must not be what is left when the other process is done."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def open_body() -> Body:
    """The open body; skips where stage 10_body has not run (`make test` runs it first)."""
    if not OPEN_BODY.is_file():
        pytest.skip("models/body/smplx_open.npz is not built; run `make repro`")
    return Body.load(OPEN_BODY)


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium driven by Playwright; skips where there is none.

    Of one module: while Playwright is open, its loop occupies the thread, and nobody else's ``asyncio.run`` works.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("no chromium on this machine; install Debian's package of that name")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def offline(chromium):
    """A function: page of a local HTML file with the network cut, and the complaints the browser had."""
    contexts = []

    def opened(path, viewport=(1100, 900)):
        context = chromium.new_context(offline=True, viewport={"width": viewport[0], "height": viewport[1]})
        contexts.append(context)
        page, complaints = context.new_page(), []
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.goto(path.as_uri())
        return page, complaints

    yield opened
    for context in contexts:
        context.close()
