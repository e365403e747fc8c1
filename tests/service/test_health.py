"""The worker's port: alive, ready, counted."""

import urllib.error
import urllib.request

import pytest
from patience import SLOWER

from avatarlab.service import health
from avatarlab.service.health import Health


def test_readiness_names_what_is_missing():
    one = Health()
    one.set("redis", False)
    one.set("models", False)
    assert one.answer("/readyz") == (503, health.PLAIN, b"waiting for models, redis\n")
    one.set("redis", True)
    assert one.answer("/readyz")[2] == b"waiting for models\n"
    one.set("models", True)
    assert one.answer("/readyz")[0] == 200


def test_a_loop_that_hangs_is_no_life(monkeypatch):
    one = Health()
    assert one.answer("/healthz")[0] == 200
    monkeypatch.setattr(health, "HUNG_S", -1.0)
    assert one.answer("/healthz")[0] == 503


def test_it_answers_over_http_and_lets_go_of_its_port():
    one = Health()
    port = one.serve("127.0.0.1", 0)
    where = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(f"{where}/metrics?x=1", timeout=SLOWER * 5) as answer:
        assert b"avatar_jobs_active" in answer.read() and answer.headers["content-type"].startswith("text/plain")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{where}/secret", timeout=SLOWER * 5)
    with pytest.raises(OSError):
        Health().serve("127.0.0.1", port)
    one.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{where}/healthz", timeout=SLOWER * 5)
