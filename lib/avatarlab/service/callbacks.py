"""One call of a callback: a signed POST of an event to a stranger's URL, and what its answer means for further tries.

Signed by Standard Webhooks 1.0.0: ``webhook-id`` is the event's key and stays the same over all tries, so that a
receiver can tell a repeated call; ``webhook-timestamp`` and ``webhook-signature`` are of the try.
"""

import asyncio
import base64
import contextlib
import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpcore
import httpx
from standardwebhooks import Webhook
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from avatarlab.core.errors import InputError
from avatarlab.service import metrics, ssrf
from avatarlab.service.jobs import Event
from avatarlab.service.settings import ServiceSettings

DELAYS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Waits between tries by Standard Webhooks: 5 s, 5 and 30 min, 2, 5, 10, 14, 20, 24 h; ten tries in 75.6 hours."""
JITTER = 0.1
"""A wait is up to so much longer, at random, so that what failed together is not tried together."""
MAX_BODY = 20_000
MAX_ANSWER = 65_536
MAX_RETRY_AFTER_S = 86_400
MAX_REASON = 2000
THROTTLED = (429, 502, 503, 504)
"""Answers of a receiver that is overloaded; its Retry-After is heeded."""
QUICK_TRIES, QUICK_WAIT_S = 2, 0.5
"""Within one try: connections only, where nothing was sent."""
DRAIN_S = 1.0


@dataclass(frozen=True)
class CallbackResponse:
    """What a call came to: delivered; retry (``after_s``: not sooner); refused or gone: never again."""

    kind: Literal["delivered", "retry", "refused", "gone"]
    status: int | None
    reason: str
    after_s: float | None = None


def delay_s(attempt: int, delays_s: Sequence[float] = DELAYS_S) -> float | None:
    """Seconds from the end of try ``attempt`` (1, 2, ...) to the next, jitter included; None: give up."""
    if attempt > len(delays_s):
        return None
    return delays_s[attempt - 1] * (1 + JITTER * random.random())


def read_secrets(text: str) -> list[Webhook]:
    """The signers of ``WEBHOOK_SECRET``; InputError where one is not whsec_ and base64 of 24 to 64 bytes."""
    return [_signer(one) for one in text.split()]


def _signer(secret: str) -> Webhook:
    kind, _, text = secret.partition("_")
    with contextlib.suppress(ValueError):
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        if kind == "whsec" and 24 <= len(key) <= 64:
            return Webhook(key)
    raise InputError("WEBHOOK_SECRET: expected whsec_ and base64 of 24 to 64 bytes; several separated by spaces.")


def body_of(event: Event) -> bytes:
    """The bytes of a callback, the same at each try, less than 20 KB."""
    short = event.model_copy(update={"reason": event.reason[:MAX_REASON]}) if event.reason else event
    data = short.model_dump_json().encode()
    if len(data) > MAX_BODY:
        raise InputError(f"callback: {len(data)} bytes, expected at most {MAX_BODY}.")
    return data


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header (a number or a date), at most a day; None where it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_RETRY_AFTER_S))
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    wait = (then - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S)


def judge(status: int, retry_after: str | None = None) -> CallbackResponse:
    """What a status means: 2xx delivered, 3xx refused (no redirect is followed), 410 gone, else try again."""
    if 200 <= status < 300:
        return CallbackResponse("delivered", status, "delivered")
    if 300 <= status < 400:
        return CallbackResponse("refused", status, f"the receiver answered {status}; redirects are not followed")
    if status == 410:
        return CallbackResponse("gone", status, "the receiver answered 410: it wants no more")
    after = retry_after_s(retry_after) if status in THROTTLED else None
    return CallbackResponse("retry", status, f"the receiver answered {status}", after)


class Caller:
    """Makes calls; one for all callbacks of a process.

    ``backend`` is the way to the network, guarded by default; ``context`` says which certificates are trusted.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        backend: httpcore.AsyncNetworkBackend | None = None,
        context: ssl.SSLContext | None = None,
    ):
        self.settings = settings
        self.signers = read_secrets(settings.webhook_secret.get_secret_value())
        backend = backend or ssrf.GuardedBackend(ssrf.origins(settings.callback_origins))
        self.client = ssrf.client(backend, settings.callback_limit_s, context)

    async def call(self, event: Event, url: str) -> CallbackResponse:
        """Call once; never raises for what the receiver, the network or the URL does."""
        answer = await self._answer(event, url)
        metrics.CALLBACKS.labels({"retry": "retried"}.get(answer.kind, answer.kind)).inc()
        return answer

    async def _answer(self, event: Event, url: str) -> CallbackResponse:
        if not self.signers:
            return CallbackResponse("retry", None, "WEBHOOK_SECRET is not set; nothing is sent unsigned")
        try:
            where, body = ssrf.read_url(url, self.settings), body_of(event)
            async with asyncio.timeout(self.settings.callback_limit_s):
                return await self._post(where, body, self._headers(event.key, body))
        except InputError as error:
            return CallbackResponse("refused", None, str(error))
        except TimeoutError:
            return CallbackResponse("retry", None, f"no answer within {self.settings.callback_limit_s:g} s")
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            secure = isinstance(error.__context__, ssl.SSLError)
            why = "its certificate is not accepted" if secure else "no connection"
            return CallbackResponse("retry", None, f"the receiver cannot be reached ({why})")
        except Exception as error:
            return CallbackResponse("retry", None, f"the call broke off ({type(error).__name__})")

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            "user-agent": "avatarlab",
            "accept-encoding": "identity",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(one.sign(key, now, body.decode()) for one in self.signers),
        }

    async def _post(self, url: httpx.URL, body: bytes, headers: dict[str, str]) -> CallbackResponse:
        quick = AsyncRetrying(
            stop=stop_after_attempt(QUICK_TRIES),
            wait=wait_fixed(QUICK_WAIT_S),
            retry=retry_if_exception_type(httpcore.ConnectError),
            reraise=True,
        )
        async for attempt in quick:
            with attempt:
                request = self.client.build_request("POST", url, content=body, headers=headers)
                response = await self.client.send(request, stream=True)
        try:
            answer = judge(response.status_code, response.headers.get("retry-after"))
            await _drain(response)
        finally:
            await response.aclose()
        return answer

    async def close(self) -> None:
        """Close what is open."""
        await self.client.aclose()


async def _drain(response: httpx.Response) -> None:
    """Take in a little of the answer's body, so that the receiver sees its answer taken; the status is known."""
    taken = 0
    with contextlib.suppress(Exception):
        async with asyncio.timeout(DRAIN_S):
            async for part in response.aiter_raw():
                taken += len(part)
                if taken >= MAX_ANSWER:
                    break
