"""Addresses that a callback may not reach: classified, never connected to; no real name is looked up here."""

import asyncio
import ipaddress
import socket
import subprocess
import sys
import threading

import httpcore
import pytest

from avatarlab.core.errors import InputError
from avatarlab.service import ssrf
from avatarlab.service.settings import ServiceSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"
PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.5"
ANSWERS = {
    "shop.example": [PUBLIC],
    "six.example": ["2606:4700:4700::1111"],
    "metadata.example": ["169.254.169.254"],
    "loop.example": ["127.0.0.1"],
    "loop6.example": ["::1"],
    "inside.example": ["192.168.1.1"],
    "carrier.example": ["100.64.0.1"],
    "special.example": ["192.0.0.8"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "relay.example": ["2002:7f00:1::"],
    "site.example": ["fec0::1"],
    "zone.example": ["fe80::1%eth0"],
    "mixed.example": [PUBLIC, PRIVATE],
    "mixed6.example": ["2606:4700:4700::1111", "fd00::1"],
    "two.example": ["93.184.216.1", "93.184.216.2"],
    "nothing.example": [],
    **dict.fromkeys(
        ("localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "a.localhost"), ["127.0.0.1"]
    ),
}
"""What the stand-in for DNS answers; the last ones are what the system's look-up would make of such hosts."""
FINE = ("shop.example", "six.example", "two.example", "nothing.example")
HOSTILE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00::1]/",
    "https://[fec0::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://192.0.0.8/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://localhost/",
    "https://a.localhost/",
    "https://localhost./",
    "https://shop.example./",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://intranet/",
    "https://user@shop.example/",
    "https://user:word@shop.example/",
    "https://shop.example@127.0.0.1/",
    "https://shop.example#@127.0.0.1:22/x",
    "https://shop.example\\@127.0.0.1/",
    "https://shop.example%00.evil.example/",
    "https://%6c%6f%63alhost/",
    "https://shop.example:22/",
    "https://shop.example:80/",
    "https://shop.example:8443/",
    "https://shop.example:0/",
    "https://shop.example:99999/",
    "https://shop.example:443:443/",
    "http://shop.example/",
    "http://shop.example:443/",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "gopher://shop.example/",
    "https:///x",
    "https://",
    "https:shop.example",
    "//shop.example/",
    "https://shop.example/\r\nX-Evil: 1",
    "https://shop.example/ x",
    "https://shop example/",
    "https://[::1/",
    "https://ex\u00e4mple.com/",
    *(f"https://{name}/" for name in ANSWERS if name[-8:] == ".example" and name not in FINE),
]


class Net(httpcore.AsyncMockBackend):
    """Stands where the network would be: writes down who was to be connected to."""

    def __init__(self, dead: tuple[str, ...] = ()):
        super().__init__([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
        self.connected: list[tuple[str, int]] = []
        self.dead = dead

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.connected.append((host, port))
        if host in self.dead:
            raise httpcore.ConnectError("dead")
        return await super().connect_tcp(host, port, timeout, local_address, socket_options)


async def answers(host: str, port: int) -> list[str]:
    if host not in ANSWERS:
        raise OSError("unknown name")
    return ANSWERS[host]


def settings(**told) -> ServiceSettings:
    return ServiceSettings(_env_file=None, webhook_secret=SECRET, **told)


def reach(url: str, net: Net, settings: ServiceSettings, resolve=answers) -> int:
    """Call ``url`` as a callback would be called; the status."""

    async def call() -> int:
        where = ssrf.read_url(url, settings)
        backend = ssrf.GuardedBackend(ssrf.origins(settings.callback_origins), resolve, net)
        async with ssrf.client(backend, 5) as client:
            return (await client.post(where, content=b"{}")).status_code

    return asyncio.run(call())


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls_never_connect(url):
    net = Net()
    with pytest.raises((InputError, httpcore.ConnectError)):
        reach(url, net, settings())
    assert net.connected == []


@pytest.mark.parametrize("url", [url for url in HOSTILE if not url.endswith(".example/") or "@" in url])
def test_hostile_forms_are_refused_before_any_look_up(url):
    with pytest.raises(InputError, match="^callback_url: "):
        ssrf.check_url(url, settings())


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://shop.example/avatars?x=1", PUBLIC),
        ("https://SHOP.example:443/", PUBLIC),
        ("https://six.example/", "2606:4700:4700::1111"),
    ],
)
def test_public_ones_are_connected_to_by_the_address_looked_at(url, address):
    ssrf.check_url(url, settings())
    net = Net()
    assert reach(url, net, settings()) == 200
    assert net.connected == [(address, 443)]


def test_a_second_answer_of_the_name_server_is_never_asked_for():
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return [PUBLIC if len(asked) == 1 else "127.0.0.1"]

    net = Net()
    assert reach("https://shop.example/", net, settings(), rebinding) == 200
    assert len(asked) == 1 and net.connected == [(PUBLIC, 443)]
    with pytest.raises(InputError, match="not public"):
        reach("https://shop.example/", net, settings(), rebinding)
    assert net.connected == [(PUBLIC, 443)]


def test_the_next_address_is_tried_where_one_is_dead():
    net = Net(dead=("93.184.216.1",))
    assert reach("https://two.example/", net, settings()) == 200
    assert net.connected == [("93.184.216.1", 443), ("93.184.216.2", 443)]
    with pytest.raises(httpcore.ConnectError):
        reach("https://two.example/", Net(dead=("93.184.216.1", "93.184.216.2")), settings())


@pytest.mark.parametrize("name", ["nothing.example", "unknown.example"])
def test_a_name_without_address_is_no_connection(name):
    with pytest.raises(httpcore.ConnectError):
        reach(f"https://{name}/", Net(), settings())


@pytest.mark.parametrize("block", ssrf.DENIED, ids=str)
def test_blocks_are_denied_from_end_to_end(block):
    assert not ssrf.public(str(block[0])) and not ssrf.public(str(block[-1]))


def test_what_python_calls_global_is_not_enough():
    missed = ["192.88.99.1", "64:ff9b::1", "2002::1", "fec0::1"]
    assert any(ipaddress.ip_address(one).is_global for one in missed)
    assert not any(ssrf.public(one) for one in missed)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_pass(address):
    assert ssrf.public(address)


@pytest.mark.parametrize("text", ["", "shop.example", "127.1", "1.2.3", "0x7f000001", "8.8.8.8:443", "fe80::1%1"])
def test_what_is_no_address_is_not_public(text):
    assert not ssrf.public(text)


TOLD = "https://shop.example, http://10.0.0.5:3000"


def test_origins_named_by_the_operator_may_be_private_and_only_they_are_called():
    net, told = Net(), settings(callback_origins=TOLD)

    async def inside(host, port):
        return {"10.0.0.5": ["10.0.0.5"], "shop.example": ["192.168.7.7"]}[host]

    assert reach("http://10.0.0.5:3000/x", net, told, inside) == 200
    assert reach("https://shop.example/x", net, told, inside) == 200
    assert net.connected == [("10.0.0.5", 3000), ("192.168.7.7", 443)]


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "https://shop.example:8443/",
        "https://10.0.0.5:3000/",
        "http://10.0.0.5/",
        "http://10.0.0.5:3001/",
        "https://other.example/",
        "https://shop.example.evil.example/",
        "https://shop.example@other.example/",
        "https://user@shop.example/",
    ],
)
def test_origins_are_meant_exactly(url):
    with pytest.raises(InputError):
        ssrf.check_url(url, settings(callback_origins=TOLD))


@pytest.mark.parametrize(
    "text", ["shop.example", "https://shop.example/path", "ftp://x.example", "https://u@x.example"]
)
def test_origins_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="CALLBACK_ORIGINS"):
        ssrf.origins(text)


def test_without_a_secret_no_callback_is_taken_on():
    with pytest.raises(InputError, match="WEBHOOK_SECRET"):
        ssrf.check_url("https://shop.example/", ServiceSettings(_env_file=None, webhook_secret=" "))


def test_refusals_do_not_repeat_the_url():
    for url in ("https://user:word@shop.example/", "https://shop.example:22/?token=word", "https://word/"):
        with pytest.raises(InputError) as fault:
            ssrf.check_url(url, settings())
        assert "word" not in str(fault.value).replace("password", "")


def test_sockets_of_this_machine_are_not_called():
    with pytest.raises(InputError):
        asyncio.run(ssrf.GuardedBackend().connect_unix_socket("/run/x"))


def test_slow_name_servers_hold_up_nothing_else(monkeypatch):
    over, asked = threading.Event(), []

    def slow(host, port, **_):
        asked.append(host)
        over.wait(10)
        return [(2, 1, 6, "", (PUBLIC, port)), (2, 1, 6, "", (PUBLIC, port))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def all_of_it():
        lookups = [asyncio.create_task(ssrf.resolve(f"slow{number}.example", 443)) for number in range(40)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            await asyncio.to_thread(int)
        over.set()
        return await asyncio.gather(*lookups)

    assert asyncio.run(all_of_it()) == [[PUBLIC]] * 40 and len(asked) == 40


@pytest.mark.parametrize("module", ["ssrf", "callbacks", "callback_queue"])
def test_no_model_is_loaded_with_it(module):
    code = f"import sys, avatarlab.service.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
