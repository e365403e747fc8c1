"""Jobs through submitit's local executor: order, errors, what is not to be had."""

import math

import pytest

from avatarlab.core.errors import InputError
from avatarlab.fit.batch.cluster import over_cluster

pytest.importorskip("submitit", reason="submitit is not installed")


def test_results_in_order_and_errors_among_them(tmp_path):
    found = list(over_cluster(math.sqrt, [4, -1, 9], tmp_path, "local", at_once=2))
    assert [one.result for one in found] == [2, None, 3] and found[2].done == found[2].total == 3
    assert found[0].error is None and "math domain error" in found[1].error and "\n" not in found[1].error


def test_no_jobs_and_no_cluster(tmp_path):
    assert list(over_cluster(math.sqrt, [], tmp_path)) == []
    with pytest.raises(InputError, match="--cluster nowhere"):
        list(over_cluster(math.sqrt, [1], tmp_path, "nowhere"))
