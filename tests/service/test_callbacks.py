"""A single call: what is sent, and what each kind of answer means; the receiver is a real one on loopback."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import pytest
from patience import SLOWER
from pydantic import SecretStr
from receiver import SECRET, Receiver, Reply
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from avatarlab.core.errors import InputError
from avatarlab.service import ssrf
from avatarlab.service.callbacks import (
    DELAYS_S,
    CallbackResponse,
    Caller,
    body_of,
    delay_s,
    judge,
    read_secrets,
    retry_after_s,
)
from avatarlab.service.jobs import Event
from avatarlab.service.settings import ServiceSettings

OTHER = "whsec_" + "QUJD" * 10
EVENT = Event(
    type="avatar.completed",
    id="0f8fad5b-d9cb-469f-a165-70867728950e",
    subject="Änne <b>'; DROP TABLE",
    url="http://127.0.0.1:8080/avatars/0f8fad5b-d9cb-469f-a165-70867728950e",
    manifest="avatars/0f8fad5b-d9cb-469f-a165-70867728950e/manifest.json",
)


def settings(origin: str, **told) -> ServiceSettings:
    return ServiceSettings(_env_file=None, **({"webhook_secret": SECRET, "callback_origins": origin} | told))


def call(receiver: Receiver, url: str | None = None, event: Event = EVENT, **told) -> CallbackResponse:
    """Call a receiver once."""

    async def once() -> CallbackResponse:
        caller = Caller(settings(receiver.origin, **told))
        try:
            return await caller.call(event, url or receiver.url)
        finally:
            await caller.close()

    return asyncio.run(once())


def test_a_call_is_signed_and_says_what_happened(receiver):
    assert call(receiver) == CallbackResponse("delivered", 200, "delivered")
    (got,) = receiver.calls
    assert got.verified and got.id == EVENT.key and got.path == "/avatars?shop=7"
    assert got.headers["content-type"] == "application/json"
    assert Event.model_validate(got.event) == EVENT
    assert set(got.headers) >= {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert "cookie" not in got.headers and "authorization" not in got.headers


def test_repeated_calls_have_one_id_and_one_body(receiver):
    receiver.answer(500)
    assert [call(receiver).kind, call(receiver).kind] == ["retry", "delivered"]
    first, second = receiver.calls
    assert first.id == second.id and first.body == second.body and first.verified and second.verified


def test_a_tampered_body_old_time_and_wrong_secret_do_not_verify(receiver):
    call(receiver)
    (got,) = receiver.calls
    signer = Webhook(SECRET)
    signer.verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        signer.verify(got.body.replace(b"completed", b"Completed"), got.headers)
    with pytest.raises(WebhookVerificationError):
        signer.verify(got.body, got.headers | {"webhook-id": "cb_other"})
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(got.body, got.headers)
    then = datetime.now(UTC) - timedelta(minutes=10)
    old = {
        "webhook-timestamp": str(int(then.timestamp())),
        "webhook-signature": signer.sign(EVENT.key, then, got.body.decode()),
    }
    with pytest.raises(WebhookVerificationError, match="too old"):
        signer.verify(got.body, got.headers | old)


def test_a_receiver_with_another_secret_refuses_and_is_tried_again():
    with Receiver((OTHER,)) as other:
        assert call(other).kind == "retry"
        assert not other.calls[0].verified and other.effects == {}


@pytest.mark.parametrize("held", [SECRET, OTHER])
def test_two_secrets_sign_for_either_receiver(held):
    with Receiver((held,)) as one:
        assert call(one, webhook_secret=f"{SECRET} {OTHER}").kind == "delivered"
        assert one.calls[0].headers["webhook-signature"].count("v1,") == 2


@pytest.mark.parametrize(
    "secret", ["word", "whsec_", "whsec_QUJD", "whsec_" + "QUJD" * 30, "whsec_!!!!" + "QUJD" * 10]
)
def test_secrets_that_are_none_are_refused_without_being_shown(secret):
    with pytest.raises(ValueError, match="WEBHOOK_SECRET") as fault:
        read_secrets(f"{SECRET} {secret}")
    assert secret.removeprefix("whsec_")[:8] not in str(fault.value).replace("whsec_ and", "") or len(secret) < 7


def test_no_secret_no_call(receiver):
    answer = call(receiver, webhook_secret=SecretStr(""))
    assert answer.kind == "retry" and "WEBHOOK_SECRET" in answer.reason and receiver.calls == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(200), "delivered"),
        (Reply(204, body=b""), "delivered"),
        (Reply(302, {"Location": "/elsewhere"}), "refused"),
        (Reply(308, {"Location": "http://127.0.0.1:9/"}), "refused"),
        (Reply(410), "gone"),
        (Reply(400), "retry"),
        (Reply(404), "retry"),
        (Reply(500), "retry"),
        (Reply(drop=True), "retry"),
        (Reply(200, body=b"x" * 300_000), "delivered"),
        (Reply(500, body=b"x" * 300_000), "retry"),
    ],
    ids=lambda value: (
        f"{value.status}{'-drop' * value.drop}-{len(value.body)}" if isinstance(value, Reply) else value
    ),
)
def test_answers_and_what_they_mean(receiver, reply, kind):
    receiver.answer(reply)
    answer = call(receiver)
    assert answer.kind == kind and (reply.drop or answer.status == reply.status)
    assert len(receiver.calls) == 1, "redirects are not followed, answers not asked for twice"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_receiver_says_when_to_come_again(receiver, status):
    receiver.answer(Reply(status, {"Retry-After": "7"}))
    assert call(receiver) == CallbackResponse("retry", status, f"the receiver answered {status}", 7.0)


def test_only_an_overloaded_receiver_is_heeded():
    assert judge(500, "7").after_s is None and judge(429, "7").after_s == 7 and judge(429).after_s is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 12 ", 12),
        ("99999999999", 86_400),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("", None),
        (format_datetime(datetime(2026, 1, 1, 0, 2, tzinfo=UTC), usegmt=True), 120),
        (format_datetime(datetime(2025, 1, 1, tzinfo=UTC), usegmt=True), 0),
        (format_datetime(datetime(2036, 1, 1, tzinfo=UTC), usegmt=True), 86_400),
    ],
)
def test_retry_after_in_both_forms_and_bounded(value, seconds):
    assert retry_after_s(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_a_hanging_receiver_costs_the_limit_and_is_tried_again(receiver):
    receiver.answer(Reply(hang_s=30))
    start = time.monotonic()
    answer = call(receiver, callback_limit_s=0.5)
    assert answer.kind == "retry" and "0.5 s" in answer.reason and time.monotonic() - start < SLOWER * 2
    assert call(receiver).kind == "delivered"
    assert len(receiver.calls) == 2 and len(receiver.effects) == 1 and receiver.suppressed == 1


def test_bytes_that_drip_after_the_status_do_not_hold_the_call(receiver):
    receiver.answer(Reply(200, body=b"x" * 1000, drip_s=0.2))
    start = time.monotonic()
    assert call(receiver).kind == "delivered" and time.monotonic() - start < SLOWER * 4


def test_a_head_that_drips_ends_with_the_limit():
    with Dripper() as where:
        start = time.monotonic()

        async def once():
            caller = Caller(settings(where, callback_limit_s=0.6))
            return await caller.call(EVENT, f"{where}/x")

        assert asyncio.run(once()).kind == "retry" and time.monotonic() - start < SLOWER * 2


class Dripper:
    """Sends the head of an answer a byte every 50 ms, for ever: each read succeeds, none ends."""

    def __enter__(self) -> str:
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not self.over.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join(5)
        self.listener.close()


def test_nobody_listening_is_tried_twice_and_then_later():
    asked = []

    async def once():
        told = settings("http://shop.example:9")

        class Dead(httpcore.AsyncMockBackend):
            async def connect_tcp(self, host, *_, **__):
                asked.append(host)
                raise httpcore.ConnectError("dead")

        async def resolve(host, port):
            return ["127.0.0.1"]

        backend = ssrf.GuardedBackend(ssrf.origins(told.callback_origins), resolve, Dead([]))
        return await Caller(told, backend).call(EVENT, "http://shop.example:9/x")

    answer = asyncio.run(once())
    assert answer.kind == "retry" and "cannot be reached" in answer.reason and asked == ["127.0.0.1"] * 2


def test_an_address_not_allowed_is_refused_for_good_and_never_called(receiver):
    for told in ({"callback_origins": ""}, {"callback_origins": "https://shop.example"}):
        answer = call(receiver, **told)
        assert answer.kind == "refused" and answer.reason.startswith("callback_url:")
    assert receiver.calls == []


def test_a_name_that_turns_private_is_refused_for_good():
    async def once():
        async def resolve(host, port):
            return ["127.0.0.1"]

        backend = ssrf.GuardedBackend((), resolve, httpcore.AsyncMockBackend([]))
        return await Caller(settings(""), backend).call(EVENT, "https://shop.example/x")

    assert asyncio.run(once()) == CallbackResponse(
        "refused", None, "callback_url: its host resolves to an address that is not public."
    )


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert call(receiver).kind == "delivered"


def test_bodies_stay_small():
    long = EVENT.model_copy(update={"reason": "ä" * 100_000})
    assert len(body_of(long)) < 20_000 and body_of(long) == body_of(long)
    with pytest.raises(InputError, match="bytes"):
        body_of(EVENT.model_copy(update={"url": "x" * 30_000}))


def test_the_schedule_is_that_of_standard_webhooks():
    assert sum(DELAYS_S) / 3600 == pytest.approx(75.6, abs=0.05)
    for attempt, seconds in enumerate(DELAYS_S, start=1):
        waits = {delay_s(attempt) for _ in range(20)}
        assert len(waits) > 1 and all(seconds <= wait <= 1.1 * seconds for wait in waits)
    assert delay_s(len(DELAYS_S) + 1) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Certificate and key for shop.example, made here."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"]
    command = ["openssl", "req", "-x509", *curve, *name, "-keyout", "key.pem", "-out", "crt.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("host", "kind"), [("shop.example", "delivered"), ("other.example", "retry")], ids=["its own", "another's"]
)
def test_tls_is_of_the_name_though_the_connection_goes_to_the_address(receiver, certificate, host, kind):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "crt.pem", certificate / "key.pem")
    asked = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    receiver.server.socket = server.wrap_socket(receiver.server.socket, server_side=True)
    trust = ssl.create_default_context(cafile=certificate / "crt.pem")

    class Loopback(httpcore.AnyIOBackend):
        """Leads the public address, which is never connected to, to the receiver."""

        async def connect_tcp(self, address, port, *rest, **named):
            assert (address, port) == ("93.184.216.34", 443)
            return await super().connect_tcp("127.0.0.1", receiver.server.server_address[1], *rest, **named)

    async def resolve(name, port):
        return ["93.184.216.34"]

    async def once():
        caller = Caller(settings(""), ssrf.GuardedBackend((), resolve, Loopback()), trust)
        return await caller.call(EVENT, f"https://{host}/x")

    answer = asyncio.run(once())
    assert answer.kind == kind and asked[0] == host
    assert kind == "delivered" or "certificate" in answer.reason
