"""Lines of the log: one an event, whatever the values hold."""

from avatarlab.service import logs
from avatarlab.service.logs import line, warn_seldom


def test_plain_words_stay_plain_and_nothing_is_none():
    assert line("job.done", job="a-b_c", seconds=1.23456, tries=2, why=None) == (
        "event=job.done job=a-b_c seconds=1.235 tries=2"
    )


def test_nothing_forges_a_second_line_or_field():
    forged = line("x", text='bad\nevent=job.done job="1" \u202e')
    assert "\n" not in forged and forged.startswith('event=x text="bad\\nevent=job.done')
    assert forged.count('"') - forged.count('\\"') == 2 and forged.isascii()
    assert line("x", text="") == 'event=x text=""'
    assert len(line("x", text="long " * 1000)) < 600


def test_the_same_trouble_is_one_line_in_a_while_that_counts_the_others(monkeypatch, caplog):
    monkeypatch.setattr(logs, "_LAST", {})
    for _ in range(500):
        warn_seldom("queue.error", "ReadOnlyError", text="a replica")
    warn_seldom("queue.error", "OutOfMemoryError")
    assert len(caplog.messages) == 2
    monkeypatch.setattr(logs, "QUIET_S", 0.0)
    warn_seldom("queue.error", "ReadOnlyError", text="a replica")
    assert caplog.messages[-1] == 'event=queue.error kind=ReadOnlyError text="a replica" more=499'
