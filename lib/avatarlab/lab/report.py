"""Executed notebook -> one HTML page that opens anywhere, offline, and has the same bytes for the same results.

What a cell prints to stdout and shows is the result and is kept; what goes to stderr (progress, logs, warnings) was
streamed while it ran and is left out, as are times, counts, memory addresses and temporary file names.

    python -m avatarlab.lab.report     writes reports/index.html, the front page that leads to all reports
"""

import html
import logging
import re
import sys

from nbconvert.filters.ansi import ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from avatarlab.lab.notebook import source, tags
from avatarlab.show.page import document

log = logging.getLogger(__name__)

VOLATILE = [
    (re.compile(r"\b0x[0-9a-f]{6,}\b"), "0x…"),
    (re.compile(r"\S*/ipykernel_\d+/\d+\.py"), "cell"),
]
PICTURES = ("image/png", "image/jpeg")


def page(nb: dict, name: str, notes: dict[str, str], failure: str = "") -> str:
    """Return the executed notebook ``nb`` as a page.

    ``name`` is the notebook's file stem, ``notes`` the comments of its parameters, ``failure`` the line to show on top.
    """
    cells = [_cell(cell, notes) for cell in nb["cells"] if not _hidden(cell)]
    banner = f'<p class="failure">{html.escape(failure)}</p>' if failure else ""
    return _document(name, f"{banner}{SWITCH}<main>{''.join(cells)}</main>")


SWITCH = '<input type="checkbox" id="hide"><label for="hide">hide code</label>'


def _hidden(cell: dict) -> bool:
    """Leave out the defaults (the run's own values are shown), papermill's own error cells, and empty cells."""
    return bool({"parameters", "papermill-error-cell-tag"} & set(tags(cell))) or not source(cell).strip()


def _document(title: str, body: str) -> str:
    return document(title, body, HtmlFormatter(style="friendly").get_style_defs(".code"))


def _cell(cell: dict, notes: dict[str, str]) -> str:
    if cell["cell_type"] == "markdown":
        return f'<section class="prose">{markdown2html_mistune(source(cell))}</section>\n'
    if cell["cell_type"] != "code":
        return ""
    if "injected-parameters" in tags(cell):
        return _parameters(source(cell), notes)
    code = highlight(source(cell), PythonLexer(), HtmlFormatter(cssclass="code"))
    outputs = "".join(_output(output) for output in _joined(cell.get("outputs", [])))
    return f"<section>{code}{outputs}</section>\n"


def _parameters(code: str, notes: dict[str, str]) -> str:
    pairs = [line.split(" = ", 1) for line in code.splitlines() if " = " in line]
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(value)}</td>"
        f"<td>{html.escape(notes.get(name, ''))}</td></tr>"
        for name, value in pairs
        if name != "out"
    )
    return (
        f'<section><table class="parameters"><caption>Parameters of this run</caption>{rows}</table></section>\n'
    )


def _joined(outputs: list[dict]) -> list[dict]:
    """Return the outputs without stderr, prints in a row joined: how they were cut depends on timing."""
    kept: list[dict] = []
    for output in outputs:
        if output["output_type"] != "stream":
            kept.append(output)
        elif output["name"] == "stdout":
            if not kept or kept[-1]["output_type"] != "stream":
                kept.append({"output_type": "stream", "text": ""})
            kept[-1]["text"] += "".join(output["text"])
    return kept


def _output(output: dict) -> str:
    if output["output_type"] == "stream":
        return _plain(output["text"])
    if output["output_type"] == "error":
        return _plain("\n".join(output["traceback"]), "error")
    return _shown(
        {kind: "".join(value) for kind, value in output["data"].items() if isinstance(value, str | list)}
    )


def _shown(data: dict[str, str]) -> str:
    """Return the richest of the forms in which a cell's value is offered."""
    if "text/html" in data:
        return f'<div class="out">{data["text/html"]}</div>'
    if "image/svg+xml" in data:
        return f'<div class="out">{data["image/svg+xml"]}</div>'
    for kind in PICTURES:
        if kind in data:
            return (
                f'<div class="out"><img alt="figure" src="data:{kind};base64,{"".join(data[kind].split())}"></div>'
            )
    if "text/markdown" in data:
        return f'<div class="prose">{markdown2html_mistune(data["text/markdown"])}</div>'
    return _plain(data.get("text/plain", ""))


def _plain(text: str, kind: str = "text") -> str:
    for pattern, steady in VOLATILE:
        text = pattern.sub(steady, text)
    return f'<pre class="{kind}">{ansi2html(text)}</pre>' if text.strip() else ""


if __name__ == "__main__":
    from avatarlab.lab import (
        frontpage,  # it loads what draws in 3D; a stage that renders its report needs none of it
    )

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("%s", frontpage.write().as_uri())
    sys.exit(0)
