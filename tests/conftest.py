"""What every room's tests share: one thread per process, the open body, a real Chromium, and what is said at the end."""

import csv
import os
import shutil
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a maths library; two cores serve all tests

import pytest

from avatarlab import ROOT
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


SLOWEST = 20
"""Tests that the table of durations names."""
LONGEST = ("test_pipeline.py", "test_worker_faults.py", "test_chaos.py")


def pytest_collection_modifyitems(items):
    """The longest files first: they must not be what is left when the other process is done."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_addoption(parser):
    parser.addoption("--durations-table", metavar="CSV", help="write seconds by folder and of the slowest tests")


def pytest_terminal_summary(terminalreporter, config):
    """Say what was skipped, a line a reason, and write the table of durations if it is asked for."""
    reasons = Counter(map(reason, terminalreporter.stats.get("skipped", [])))
    if reasons or config.getoption("markexpr"):
        terminalreporter.section(f"skipped: {reasons.total()}")
    for text, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5d}  {text}")
    if marks := config.getoption("markexpr"):
        terminalreporter.write_line(f"not asked for: tests that are not `{marks}` (`make service-test` runs all)")
    if table := config.getoption("durations_table"):
        write_durations(Path(table), [x for some in terminalreporter.stats.values() for x in some])


def reason(report) -> str:
    """Why a test was skipped, in one line; paths of the project without what stands before it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").replace(f"{ROOT}/", "").splitlines()[0]


def write_durations(path: Path, reports: list) -> None:
    """Seconds by folder of tests/, then of the SLOWEST tests; set-up and tear-down count where they happened."""
    folders, tests, numbers = Counter(), Counter(), Counter()
    for one in (one for one in reports if hasattr(one, "duration")):
        file = one.nodeid.partition("::")[0]
        folder = Path(file).parts[1] if len(Path(file).parts) > 2 else file
        folders[folder] += one.duration
        tests[one.nodeid] += one.duration
        numbers[folder] += one.when == "call"
    rows = [(f"{s:.1f}", numbers[name], name) for name, s in folders.most_common()]
    rows += [(f"{s:.1f}", 1, name) for name, s in tests.most_common(SLOWEST)]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("seconds", "tests", "what"), *rows])


@pytest.fixture(scope="session")
def open_body() -> Body:
    """The published open body."""
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
