"""Who may ask: bearer tokens, compared in constant time."""

import hmac
import re

from fastapi import Request
from fastapi.security import HTTPBearer

from avatarlab.core.errors import InputError
from avatarlab.service.http_errors import refused
from avatarlab.service.settings import ServiceSettings

MIN_TOKEN = 16
_MAKE = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def tokens(settings: ServiceSettings) -> list[bytes]:
    """The tokens that are let in; InputError where there is none or one is too short or not plain ASCII."""
    found = [one.strip() for one in settings.api_tokens.get_secret_value().split(",") if one.strip()]
    if not found:
        raise InputError(f"API_TOKENS is not set, and nobody is let in without a token; {_MAKE}")
    if any(len(one) < MIN_TOKEN or not re.fullmatch(r"[!-~]+", one) for one in found):
        raise InputError(f"API_TOKENS: expected {MIN_TOKEN} or more plain characters in each token; {_MAKE}")
    return [one.encode() for one in found]


class Bearer(HTTPBearer):
    """Lets a request in whose Authorization header holds a token of ``app.state.tokens``, else 401."""

    def __init__(self):
        super().__init__(auto_error=False, description="one of API_TOKENS")

    async def __call__(self, request: Request) -> None:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        came = given.strip().encode("latin-1", "replace")
        # a list, not a generator: every token is compared, so time tells nothing of which one came near
        fits = [hmac.compare_digest(came, one) for one in request.app.state.tokens]
        if kind.lower() != "bearer" or not any(fits):
            message = "send a valid token as 'Authorization: Bearer <token>'."
            raise refused(401, message, "Authorization", WWW_Authenticate="Bearer")
