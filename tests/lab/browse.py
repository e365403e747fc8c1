"""A JupyterLab of a project, started as `make lab` does, and the few gestures that tests make in it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOKEN = "a-token-for-tests"
# What a careless user's own settings may say; avatarlab's start overrules it.
CARELESS = 'c.ServerApp.ip = "0.0.0.0"\nc.IdentityProvider.token = ""\nc.ServerApp.allow_remote_access = True\n'


def answer(url: str) -> int:
    """Return the HTTP status of a plain GET, 0 if nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=25) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, ConnectionError):
        return 0


@contextmanager
def jupyterlab(root: Path, scratch: Path) -> Iterator[str]:
    """Serve the project at ``root``, with settings and kernels' files in ``scratch``; yield the address."""
    (scratch / "config").mkdir(parents=True)
    (scratch / "config/jupyter_server_config.py").write_text(CARELESS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folders = {f"JUPYTER_{name.upper()}_DIR": str(scratch / name) for name in ("config", "runtime", "data")}
    environment = (
        os.environ | folders | {"PYTHONPATH": str(root / "lib"), "JUPYTER_TOKEN": TOKEN, "HOME": str(scratch)}
    )
    command = [sys.executable, "-m", "avatarlab.lab.start", "--no-browser", f"--port={port}"]
    with open(scratch / "log", "w") as log:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while answer(f"{address}/api/status?token={TOKEN}") != 200:
            assert server.poll() is None and time.monotonic() < deadline, (scratch / "log").read_text()
            time.sleep(0.3)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def open_notebook(page, address: str, path: str) -> None:
    """Open a notebook of the project and wait until its kernel is idle."""
    page.goto(f"{address}/lab/tree/{path}?reset&token={TOKEN}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=200_000)
    page.locator(".jp-StatusBar-Widget").get_by_text("(ipykernel) | Idle").wait_for(timeout=200_000)


PROMPTS = "[...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt')]"


def run_all(page) -> None:
    """Choose Run > Run All Cells and wait until every code cell has its number."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
    done = f"() => {PROMPTS}.every(p => /\\[\\d+\\]/.test(p.textContent))"
    page.wait_for_function(done, timeout=250_000, polling=300)


def save(page) -> None:
    """Press Ctrl+S and wait for the answer of the server."""
    with page.expect_response(lambda r: "/api/contents/" in r.url and r.request.method == "PUT", timeout=150_000):
        page.keyboard.press("Control+s")
