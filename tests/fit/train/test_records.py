"""Records in their file of JSON lines: whole, cut short by a kill, damaged."""

from dataclasses import replace

import pytest
from simulated import records

from avatarlab.core.errors import InputError
from avatarlab.fit.train.records import load, write_record
from avatarlab.fit.train.run_fits import repaired


@pytest.fixture(scope="module")
def record():
    return records("train", 1, 1)[0]


def test_records_survive_their_file(tmp_path, record):
    path = tmp_path / "records.jsonl"
    path.write_text("".join(write_record(one) + "\n" for one in (record, replace(record, id="other"))))
    assert load(path) == [record, replace(record, id="other")]
    assert load(tmp_path / "none.jsonl") == []


def test_half_a_line_is_cut_off_and_anything_else_refused(tmp_path, record):
    path, line = tmp_path / "records.jsonl", write_record(record) + "\n"
    path.write_text(line + line[: len(line) // 2])
    assert repaired(path) == [record] and path.read_text() == line
    path.write_text(line + "nonsense\n" + line)
    with pytest.raises(InputError, match="line 2: not a record"):
        load(path)
