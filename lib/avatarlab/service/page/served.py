"""What of the page's plain files is served and under which policy.

Nothing in them is made per request, and the only built one is three.bundle.js (``package.json`` says how).
"""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the files lie."""
INDEX = "index.html"
"""Served at /."""
ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("page.js", "client.js", "form.js", "outcome.js", "viewer.js", "words.js", "three.bundle.js"),
        "text/javascript; charset=utf-8",
    ),
    "THREE-LICENSE.txt": "text/plain; charset=utf-8",
}
"""Name -> media type of what is served under /static/, and nothing else is."""
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy that the page works under; blob: because three.js reads a GLB's textures that way."""
