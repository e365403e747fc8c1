"""Addresses from outside, called from inside: which are allowed, and connections that cannot be led elsewhere.

A callback's URL is written by a stranger and called from within the operator's network (server-side request forgery).
So the form of the URL is checked first, without network; then every address that its name resolves to must be public,
and the connection goes to exactly the address that was looked at: there is no second look-up that could answer
otherwise. No redirects, no proxies from the environment. Source: OWASP SSRF prevention sheet, Standard Webhooks 1.0.0.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpcore
import httpx

from avatarlab.core.errors import InputError
from avatarlab.service.settings import ServiceSettings

Origin = tuple[str, str, int]
"""Scheme, host, port."""
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port -> addresses as text; OSError where the name is unknown."""
PORTS = {"https": 443, "http": 80}
URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.IGNORECASE)
NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
"""A name of two labels or more whose last is no number: 127.1, 2130706433 and 0x7f000001 are addresses to getaddrinfo."""
INTERNAL = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "arpa")
"""Last labels that are never hosts of the public Internet (RFC 6761, 6762, 8375 and habit)."""
# fmt: off
DENIED = [ipaddress.ip_network(block) for block in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3", "::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
    "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)]
# fmt: on
"""Beside ``is_global``, which in Python 3.11 passes 192.0.0.8, 192.88.99.1, 64:ff9b::/96, 2002::/16, fec0::/10, ::/8."""
MAX_ADDRESSES = 4
"""Of one name, tried one after another."""
RESOLVERS = ThreadPoolExecutor(8, "resolve")
"""A stranger's name server may be as slow as it likes; in the loop's own threads that would hold up the storage."""


def public(address: str) -> bool:
    """Whether an IP address as text is one of the public Internet; False for anything that is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped or getattr(found, "scope_id", None):
        return False
    return found.is_global and not any(found in block for block in DENIED if block.version == found.version)


def origins(text: str) -> frozenset[Origin]:
    """The origins of ``CALLBACK_ORIGINS``; InputError where one is not scheme, host and perhaps port."""
    return frozenset(_origin(one) for one in re.split(r"[\s,]+", text) if one)


def _origin(text: str) -> Origin:
    found = _parsed(text) if URL.fullmatch(text) else None
    if not found or not found.host or found.userinfo or found.raw_path not in (b"", b"/") or found.fragment:
        raise InputError("CALLBACK_ORIGINS: expected origins such as https://shop.example, separated by commas.")
    return _origin_of(found)


def _parsed(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None


def _origin_of(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode(), url.port or PORTS[url.scheme]


def read_url(url: str, settings: ServiceSettings) -> httpx.URL:
    """A callback's URL as it will be called; InputError for one whose form, scheme, host or port is not allowed."""
    found = _parsed(url) if URL.fullmatch(url) else None
    if not found or not found.host:
        raise InputError("callback_url: not a URL of plain ASCII such as https://shop.example/avatars.")
    if found.userinfo or "#" in url:
        raise InputError("callback_url: must not hold a user name, a password or #.")
    trusted = origins(settings.callback_origins)
    if _origin_of(found) in trusted:
        return found
    if trusted:
        raise InputError("callback_url: its host is not among those this service may call.")
    _check_public_form(found)
    return found


def _check_public_form(url: httpx.URL) -> None:
    if url.scheme != "https" or url.port not in (None, 443):
        raise InputError("callback_url: must be https on port 443.")
    host = url.raw_host.decode()
    if public(host):
        return
    last = host.rsplit(".", 1)[-1]
    if len(host) > 253 or not NAME.fullmatch(host) or last in INTERNAL:
        raise InputError("callback_url: its host is not a public name or address.")


def check_url(url: str, settings: ServiceSettings) -> None:
    """Refuse a callback that could not be made: InputError in a sentence. Looks at the text only, no network."""
    if not settings.webhook_secret.get_secret_value().strip():
        raise InputError(
            "callback_url: this service has no WEBHOOK_SECRET and sends nothing unsigned; leave it out."
        )
    read_url(url, settings)


async def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host as the system resolves them."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    found = await asyncio.get_running_loop().run_in_executor(RESOLVERS, ask)
    return list(dict.fromkeys(one[4][0] for one in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only, and to the very ones it looked at; ``trusted`` hosts and ports may be private."""

    def __init__(
        self,
        trusted: Iterable[Origin] = (),
        resolve: Resolve = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
    ):
        self.trusted = {(host, port) for _, host, port in trusted}
        self.resolve = resolve
        self.network = network or httpcore.AnyIOBackend()

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        """Open a connection: InputError where any address is not public, httpcore.ConnectError where none answers."""
        fault = httpcore.ConnectError("the name has no address")
        for address in await self.addresses(host, port):
            try:
                return await self.network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect for a host: addresses, each allowed."""
        try:
            found = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name cannot be resolved ({type(error).__name__})") from None
        if (host, port) not in self.trusted and not all(public(address) for address in found):
            raise InputError("callback_url: its host resolves to an address that is not public.")
        return found[:MAX_ADDRESSES]

    async def connect_unix_socket(self, path, timeout=None, socket_options=None):
        """Never."""
        raise InputError("callback_url: sockets of this machine are not called.")

    async def sleep(self, seconds: float) -> None:
        """Of httpcore's interface."""
        await asyncio.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx's way to the network through ``GuardedBackend``, built on httpcore's public interface only.

    (Putting a backend into ``httpx.AsyncHTTPTransport`` would need its private pool; a renaming would unguard it.)
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend, context: ssl.SSLContext | None = None):
        self.pool = httpcore.AsyncConnectionPool(
            ssl_context=context or httpx.create_ssl_context(trust_env=False),
            max_keepalive_connections=0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; httpcore's exceptions pass through."""
        url = request.url
        answer = await self.pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_ResponseBody(answer))

    async def aclose(self) -> None:
        """Close what is open."""
        await self.pool.aclose()


class _ResponseBody(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response):
        self.answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self.answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self.answer.aclose()


def client(
    backend: httpcore.AsyncNetworkBackend, timeout_s: float, context: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """An HTTP client that goes nowhere but through ``backend``: no redirects, nothing from the environment."""
    transport = GuardedTransport(backend, context)
    return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False, timeout=timeout_s)
