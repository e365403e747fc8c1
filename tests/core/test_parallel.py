"""Many jobs over processes: order, errors, deaths, one thread each, the same bytes however many processes."""

import os

import jobs
import pytest

from avatarlab.core.errors import InputError
from avatarlab.core.parallel import cores, outcomes


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_order_and_a_failure_is_one_of_them(workers):
    found = list(outcomes(jobs.work, ["c", "a", "fails", "b"], workers, jobs.models, (2.5,)))
    assert [one.number for one in found] == [0, 1, 2, 3] and found[-1].done == found[-1].total == 4
    assert [one.result and one.result["job"] for one in found] == ["c", "a", None, "b"]
    assert [one.error for one in found] == [None, None, "ValueError: this one fails", None]
    assert {one.result["scale"] for one in found if one.result} == {2.5}
    assert found[-1].seconds_left == 0 <= found[0].seconds_left


def test_a_slow_job_does_not_hold_up_the_others(tmp_path):
    mark = tmp_path / "mark"  # the first job ends only after the third has been done
    names = [f"waits:{mark}", "a", f"marks:{mark}", "b"]
    found = list(outcomes(jobs.work, names, 2, jobs.models, (1.0,)))
    assert [one.result["job"] for one in found] == names and found[0].done >= 3


def test_processes_have_one_thread_and_load_once():
    names = [*"abcde", "interrupts"]  # Ctrl-C is for the first process, which ends the others
    found = [one.result for one in outcomes(jobs.work, names, 2, jobs.models, (1.0,))]
    assert {one["threads"] for one in found} == {(1, 1, "1")}
    pids = {one["pid"] for one in found}
    assert len(pids) <= 2 and os.getpid() not in pids
    assert all(one["pid"] == one["loaded"] for one in found)


def test_a_dead_process_fails_its_job_only():
    found = list(outcomes(jobs.work, ["dies", "a", "dies", "unsendable", "b"], 2, jobs.models, (1.0,)))
    assert [bool(one.result) for one in found] == [False, True, False, False, True]
    assert "process died (exit code 7)" in found[0].error and "cannot be sent" in found[3].error


def test_the_number_of_processes_changes_no_byte():
    alone = [one.result.tobytes() for one in outcomes(jobs.sums, range(4), 0)]
    assert alone == [one.result.tobytes() for one in outcomes(jobs.sums, range(4), 2)]
    assert len(set(alone)) == 4


def test_models_that_do_not_load_end_everything():
    with pytest.raises(InputError, match="could not be made ready: ValueError: scale must not be negative"):
        list(outcomes(jobs.work, ["a", "b"], 2, jobs.models, (-1.0,)))


def test_functions_must_be_importable():
    with pytest.raises(InputError, match="work: got <lambda>|work: got .*<lambda>"):
        list(outcomes(lambda models, job: job, [1], 0))
    with pytest.raises(InputError, match="load: got .*<locals>"):

        def here():
            return None

        list(outcomes(jobs.work, [1], 0, here))


def test_no_jobs_no_processes():
    assert list(outcomes(jobs.work, [], 2)) == [] and cores() >= 1


def test_stopping_early_leaves_no_process():
    from multiprocessing import active_children

    running = outcomes(jobs.work, ["a"] * 50, 2, jobs.models, (1.0,))
    next(running)
    assert active_children()
    running.close()
    assert not active_children()
