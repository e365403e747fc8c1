"""How the API says no: every refusal is ``{"detail": [{"field": ..., "message": ...}]}``, and nothing else ever."""

from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from avatarlab.core.errors import InputError
from avatarlab.service.jobs import Unavailable, faults_of
from avatarlab.service.logs import warn

RETRY_S = 5
"""Retry-After where queue or storage is away (s)."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""On every answer that does not say otherwise itself."""


class Fault(BaseModel):
    """One thing that is wrong."""

    field: str | None = Field(None, description="of the request; null where none is to blame")
    message: str


class Faults(BaseModel):
    """Body of every refusal."""

    detail: list[Fault]
    id: str | None = Field(None, description="under which the same request may be sent again, of a 503 to a POST")


class HTTPRefusal(Exception):
    """An answer other than success."""

    def __init__(
        self, status: int, faults: list[Fault], headers: dict[str, str] | None = None, id: str | None = None
    ):
        super().__init__(status)
        self.status, self.faults, self.headers, self.id = status, faults, headers or {}, id


def refused(status: int, message: str, field: str | None = None, **headers: object) -> HTTPRefusal:
    """A refusal of one fault; ``Retry_After=5`` becomes that header."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return HTTPRefusal(status, [Fault(field=field, message=plain(message))], named)


def away(fault: Unavailable, id: str | None = None) -> HTTPRefusal:
    """The refusal while queue or storage is away; what exactly is in the log, not in the answer."""
    warn("api.unavailable", text=fault)
    message = "The queue or the storage cannot be reached now; try again."
    if id:
        message = f"The queue or the storage cannot be reached now; send the same again with id={id}."
    return HTTPRefusal(503, [Fault(message=message)], {"Retry-After": str(RETRY_S)}, id)


def plain(text: str) -> str:
    """Text that any encoder and any terminal can take: nothing unprintable, no lone surrogates."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def wrong_fields(error: ValidationError) -> list[Fault]:
    """A fault per wrong field, without repeating what came at length."""
    return [Fault(field=plain(field), message=plain(message)) for field, message in faults_of(error)]


def _named(message: str) -> str | None:
    """The field that a sentence about the whole job begins with."""
    first = message.partition(":")[0]
    return first if first.isidentifier() else None


def sentence(error: InputError, field: str | None = None) -> Fault:
    """The fault of an InputError, whose sentence begins with the field's name where ``field`` is not told."""
    return Fault(field=field or _named(str(error)), message=plain(str(error)))


def install(app: FastAPI) -> None:
    """Make ``app`` refuse in the one form, whoever raises."""
    app.add_exception_handler(HTTPRefusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(InputError, _unfit)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unforeseen)


def answer(status: int, faults: Iterable[Fault], headers=None, id: str | None = None) -> JSONResponse:
    """A refusal as a response."""
    body = Faults(detail=list(faults), id=id).model_dump(exclude=set() if id else {"id"})
    return JSONResponse(body, status, dict(headers or {}))


async def _refused(request: Request, fault: HTTPRefusal) -> JSONResponse:
    return answer(fault.status, fault.faults, fault.headers, fault.id)


async def _http(request: Request, fault: HTTPException) -> JSONResponse:
    return answer(fault.status_code, [Fault(message=plain(str(fault.detail)))], fault.headers)


async def _unavailable(request: Request, fault: Unavailable) -> JSONResponse:
    return await _refused(request, away(fault))


async def _unfit(request: Request, fault: InputError) -> JSONResponse:
    return answer(422, [sentence(fault)])


async def _gone(request: Request, fault: ClientDisconnect) -> JSONResponse:
    """Nobody reads this; it only keeps a sender who hangs up from filling the log with tracebacks."""
    return answer(400, [Fault(message="The request broke off.")])


async def _unforeseen(request: Request, fault: Exception) -> JSONResponse:
    """Outside all middleware, so the headers are set here; the traceback is in the server's log."""
    return answer(500, [Fault(message="Something went wrong here; it is in the log.")], HEADERS)
