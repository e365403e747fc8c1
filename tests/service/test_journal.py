"""Lines of the log: one an event, whatever the values hold."""

from avatarlab.service.journal import line


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
