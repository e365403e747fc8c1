"""What a browser is shown: the page for people, and the API's description by Swagger UI; nothing from elsewhere."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from swagger_ui_bundle import swagger_ui_path

from avatarlab.service import page
from avatarlab.service.http_errors import refused

JAVASCRIPT, CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
DOCS = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>avatarlab API</title>
<link rel="icon" href="static/icon.svg"><link rel="stylesheet" href="static/swagger-ui.css">
<div id="docs"></div>
<script src="static/swagger-ui-bundle.js"></script>
<script src="static/docs.js"></script>
</html>
"""
DOCS_JS = b"""SwaggerUIBundle({url: "openapi.json", dom_id: "#docs", validatorUrl: null, docExpansion: "list"});
"""
DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI's pictures are data: addresses in its style sheet."""
ROUTES = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Served:
    """A file as it goes out."""

    data: bytes
    type: str
    csp: str | None = None

    @property
    def tag(self) -> str:
        """ETag."""
        return f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'


@cache
def assets() -> dict[str, Served]:
    """Name under /static/ -> file: a fixed list, read once. What is not there (not built) is left out."""
    ours = {name: (page.FOLDER / name, type) for name, type in page.ASSETS.items()}
    swagger = Path(str(swagger_ui_path))
    theirs = {
        "swagger-ui.css": (swagger / "swagger-ui.css", CSS),
        "swagger-ui-bundle.js": (swagger / "swagger-ui-bundle.js", JAVASCRIPT),
    }
    found = {n: Served(path.read_bytes(), type) for n, (path, type) in (ours | theirs).items() if path.is_file()}
    return found | {"docs.js": Served(DOCS_JS, JAVASCRIPT)}


@cache
def index() -> Served | None:
    """The page."""
    path = page.FOLDER / page.INDEX
    return Served(path.read_bytes(), "text/html; charset=utf-8", page.CSP) if path.is_file() else None


@ROUTES.get("/")
async def home(request: Request) -> Response:
    """The page for people."""
    return _sent(request, index())


@ROUTES.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """A part of a page."""
    return _sent(request, assets().get(name))


@ROUTES.get("/docs")
async def docs(request: Request) -> Response:
    """The API, described and to be tried."""
    return _sent(request, Served(DOCS, "text/html; charset=utf-8", DOCS_CSP))


def _sent(request: Request, served: Served | None) -> Response:
    if served is None:
        raise refused(404, "no such page.")
    headers = {"ETag": served.tag, "Cache-Control": "no-cache"}
    if served.csp:
        headers["Content-Security-Policy"] = served.csp
    if request.headers.get("if-none-match") == served.tag:
        return Response(status_code=304, headers=headers)
    return Response(served.data, media_type=served.type, headers=headers)
