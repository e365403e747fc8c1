import numpy as np
import pytest
from crowd import made

from avatarlab.core.errors import InputError
from avatarlab.core.files import write_npz
from avatarlab.synthetic import Participants, matching
from avatarlab.synthetic.participant import DIMENSIONS


def test_a_file_gives_back_the_same_people(crowd, tmp_path):
    crowd.all.save(tmp_path / "people.npz")
    again = Participants.load(tmp_path / "people.npz")
    assert (again.source, again.columns, again.views) == (crowd.all.source, crowd.all.columns, crowd.all.views)
    assert all(np.array_equal(again.arrays[name], array) for name, array in crowd.all.arrays.items())
    assert (tmp_path / "people.npz").stat().st_size < 400e3 * len(again)


def test_same_seed_same_bytes(open_body, anny, crowd, tmp_path):
    crowd.all.save(tmp_path / "one.npz")
    made(open_body, anny).all.save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_splits_part_everybody(crowd):
    parts = [crowd.all.of(split) for split in ("train", "calibration", "test")]
    assert sorted(p.id for part in parts for p in part) == sorted(p.id for p in crowd.all)
    assert [p.sex for p in crowd.all.of("test", "female")] == ["female"]
    with pytest.raises(InputError, match="split: got 'validation'"):
        crowd.all.of("validation")


def test_a_person_carries_its_row(crowd):
    for number, person in enumerate(crowd.all):
        assert person.stature_m == person.row["stature"] == crowd.rows.columns["stature"][number]
        assert person.truth_m["stature"] == person.stature_m
        assert person.row["bicep"] - person.truth_m["bicep"] > 0.01
        assert len(person.row) == 43 and set(person.shots) == {"front", "side", "side_arms"}


def test_stature_stands_in_the_shots(crowd):
    for person in crowd.all:
        assert abs(person.mesh_m["stature"] - person.stature_m) < 0.005
        tall = np.ptp(person.shots["front"].vertices[:, 1].numpy())
        assert 0.94 * person.stature_m < tall < 1.02 * person.stature_m


def test_outlines_lean_to_the_rows_own_calipers(crowd):
    for person in crowd.all:
        assert tuple(person.mesh_dimensions_m) == DIMENSIONS
        for number, name in enumerate(matching.LEAN_M):
            if name in DIMENSIONS:
                off = person.mesh_dimensions_m[name] - person.row[name] - matching.EXCESS_M[person.sex][number]
                assert abs(off) < 0.04, f"{person.id} {name}"


def test_other_files_are_refused(tmp_path):
    write_npz(tmp_path / "other.npz", {"a": np.zeros(3)}, {"schema": "something/1"})
    with pytest.raises(InputError, match="run stage 11_people"):
        Participants.load(tmp_path / "other.npz")
