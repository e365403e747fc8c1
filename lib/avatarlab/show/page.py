"""The frame of every page that the lab writes: one HTML file that opens anywhere, offline, in one style."""

import html
from pathlib import Path

STYLE = Path(__file__).with_name("report.css")


def document(title: str, body: str, style: str = "", head: str = "") -> str:
    """``body`` (HTML) as a whole page; ``title`` is text, ``style`` CSS and ``head`` HTML on top of the lab's own."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(title)}</title>{head}<link rel="icon" href="data:,">'
        f"<style>{STYLE.read_text(encoding='utf-8')}{style}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )
