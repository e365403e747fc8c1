"""Progress in one form: every few seconds a line, whatever it is that goes on."""

import io
from types import SimpleNamespace

import pytest

from avatarlab.core.parallel import Outcome
from avatarlab.core.progress import ProgressLine


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told():
    """A function: a line with a clock by hand; and the lines that came."""
    out, clock = io.StringIO(), Clock()
    return ProgressLine("sage", 5, out, clock), clock, lambda: out.getvalue().splitlines()


def test_a_line_every_few_seconds_and_at_the_end(told):
    line, clock, lines = told
    for step in range(1, 11):
        clock.now += 2
        line(step, 10, 0.123456)
    assert lines() == [
        "sage: 3/10 (30%), loss 0.1235, 14 s left",
        "sage: 6/10 (60%), loss 0.1235, 8 s left",
        "sage: 9/10 (90%), loss 0.1235, 2 s left",
        "sage: 10/10 (100%), loss 0.1235, 0 s left",
    ]


def test_a_new_part_and_a_resumed_run_are_timed_by_their_own_steps(told):
    line, clock, lines = told
    clock.now += 3
    line("decoder", 1, 1, 2.0)
    clock.now += 8
    line("whole", 51, 100, 2.0)  # 50 of them in an earlier run
    assert lines() == [
        "sage decoder: 1/1 (100%), loss 2, 0 s left",
        "sage whole: 51/100 (51%), loss 2, 392 s left",
    ]


def test_the_same_again_begins_anew(told):
    line, clock, lines = told
    clock.now += 1
    line(2, 2)
    clock.now += 10
    line(1, 2)
    assert lines() == ["sage: 2/2 (100%), 0 s left", "sage: 1/2 (50%), 10 s left"]


def test_outcomes_and_steps_of_a_fit_say_themselves_how_long(told):
    line, clock, lines = told
    line(Outcome(0, None, None, 4, 8, 33.3))
    clock.now += 6
    line(Outcome(0, None, None, 5, 8, 33.3))
    clock.now += 6
    line(SimpleNamespace(done=6, total=60, stage="outline", loss=251.0, seconds_left=9.0))
    assert lines() == ["sage: 5/8 (62%), 33 s left", "sage: 6/60 (10%), loss 251, 9 s left"]


def test_lines_go_to_stderr(capsys):
    ProgressLine()(1, 1)
    assert capsys.readouterr().err == "1/1 (100%), 0 s left\n"
