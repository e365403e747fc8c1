"""An S3 client that gives up within seconds, and never while bytes still move."""

import os
from urllib.parse import SplitResult, urlsplit

import certifi
import urllib3
from minio import Minio
from minio.helpers import check_bucket_name
from urllib3.connection import HTTPConnection, HTTPSConnection

from avatarlab.core.errors import InputError
from avatarlab.service.settings import ServiceSettings

CONNECT_S, READ_S, TRIES = 2.0, 10.0, 3
"""A server that refuses is noticed in a second, a silent one in TRIES * READ_S; minio's own limit is half an hour."""
STEP = 1 << 16
"""Bytes handed to the socket at once."""


def connect(settings: ServiceSettings, endpoint: str, read_s: float = READ_S, tries: int = TRIES) -> Minio:
    """A client of ``endpoint``, host:port or an address; InputError where that or the keys cannot be."""
    parts = _parts(endpoint)
    if not parts:
        raise InputError(
            "S3_ENDPOINT, S3_PUBLIC_ENDPOINT: expected host:port or an address such as https://s3.example:9000."
        )
    key, secret = settings.s3_access_key.get_secret_value(), settings.s3_secret_key.get_secret_value()
    if not key or not secret:
        raise InputError("S3_ACCESS_KEY, S3_SECRET_KEY: not set; the storage takes no requests without.")
    secure = parts.scheme == "https"
    region, http = settings.s3_region, _pool(read_s, tries)
    try:
        check_bucket_name(settings.s3_bucket, s3_check=True)
        return Minio(parts.netloc, key, secret, secure=secure, region=region, http_client=http)
    except ValueError as error:
        raise InputError(f"S3_BUCKET, S3_REGION: {error}.") from None


def _parts(endpoint: str) -> SplitResult | None:
    """A server's address in parts; None for what is more or less than that. (A password in it would show in messages.)"""
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    more = "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment
    return parts if known and not more else None


def _pool(read_s: float, tries: int) -> urllib3.PoolManager:
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
        maxsize=16,
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        retries=urllib3.Retry(
            total=tries - 1,
            backoff_factor=0.3,
            status_forcelist=[500, 502, 503, 504],
            respect_retry_after_header=False,
        ),
    )
    pool.pool_classes_by_scheme = {"http": _Http, "https": _Https}
    return pool


class _Stepwise:
    """Sends in steps: the socket's time limit holds for each ``sendall``, and a whole photo may take longer."""

    def send(self, data) -> None:
        if not isinstance(data, bytes):
            super().send(data)
            return
        for start in range(0, len(data), STEP):
            super().send(memoryview(data)[start : start + STEP])


class _Http(urllib3.HTTPConnectionPool):
    class ConnectionCls(_Stepwise, HTTPConnection):
        """Plain."""


class _Https(urllib3.HTTPSConnectionPool):
    class ConnectionCls(_Stepwise, HTTPSConnection):
        """Over TLS."""
