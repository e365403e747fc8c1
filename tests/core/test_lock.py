"""A lock has one holder, and none once its holder is gone."""

import signal
import subprocess
import sys

import pytest

from avatarlab.core import lock
from avatarlab.core.errors import InputError

HOLDER = "import sys, time; from avatarlab.core import lock; mine = lock.hold(sys.argv[1]); print(1, flush=True); time.sleep(60)"


def test_it_has_one_holder_at_a_time(tmp_path):
    path = tmp_path / "x.lock"
    with lock.held(path, "busy."):
        assert lock.hold(path) is None
        with pytest.raises(InputError, match="^busy[.]$"), lock.held(path, "busy."):
            pytest.fail("held twice")
    mine = lock.hold(path)
    assert mine is not None
    mine.release()


def test_what_fails_inside_lets_go(tmp_path):
    with pytest.raises(KeyError), lock.held(tmp_path / "x", "busy."):
        raise KeyError
    with lock.held(tmp_path / "x", "busy."):
        pass


def test_a_killed_holder_lets_go(tmp_path):
    path = str(tmp_path / "x.lock")
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert lock.hold(path) is None
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert lock.hold(path) is not None
