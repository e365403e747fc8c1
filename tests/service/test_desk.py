"""What counts as an attempt of a job, and what does not."""

import errno

import pytest
import redis.exceptions

from avatarlab.service.desk import _surroundings
from avatarlab.service.jobs import Unavailable
from avatarlab.service.orders import ChildDied, StartFailed, TimeLimit


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("storage"),
        StartFailed("models"),
        redis.exceptions.ConnectionError("gone"),
        ConnectionResetError("gone"),
        OSError(errno.ENOSPC, "no space left"),
    ],
)
def test_what_is_not_the_jobs_fault_costs_no_attempt(error):
    assert _surroundings(error)


@pytest.mark.parametrize(
    "error",
    [ChildDied("x"), TimeLimit("x"), ValueError("x"), FileNotFoundError(errno.ENOENT, "x"), TypeError("x")],
)
def test_what_may_be_costs_one(error):
    assert not _surroundings(error)
