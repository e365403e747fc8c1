"""The service's real surroundings, one of each per test run: Redis, S3 (Swift), a Node producer, a receiver of callbacks."""

from pathlib import Path

import pytest
from node_packages import installed
from receiver import Receiver
from redis_server import RedisServer
from swift_server import Swift


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A redis-server of our own on loopback; skips where it is not installed."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def swift(tmp_path_factory):
    """OpenStack Swift with s3api on loopback; skips where `make service-test` has not installed it."""
    with Swift(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def npm():
    """node_modules with BullMQ; skips where node or npm is missing."""
    return installed(Path(__file__).with_name("package.json"), "service-npm")


@pytest.fixture(scope="session")
def programs():
    """node_modules with the Khronos validator and gltfpack; skips where node or npm is missing."""
    return installed(Path(__file__).parents[1] / "export" / "package.json", "npm")


@pytest.fixture
def receiver():
    """An HTTP receiver of callbacks on loopback that can be told to misbehave."""
    with Receiver() as one:
        yield one
