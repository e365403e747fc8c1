import numpy as np
import pytest
from strangers import REST

from avatarlab.core.errors import InputError
from avatarlab.core.files import write_npz
from avatarlab.motion.data.library import HELD_OUT, RANDOM_PERCENT, Library, hundredth

PEOPLE = ("CMU14", "ida", "bob", "CMU03")


def shelf(clips=60, length=30, **header) -> Library:
    """``clips`` clips of two segments each, of four people, from two sources."""
    names = [f"{'b' if k % 3 == 0 else 'a'}/{k:02d}" for k in range(clips) for _ in (0, 1)]
    count = length * len(names)
    header = {"held_out": list(HELD_OUT), "cross_sources": ["b"], "rate": 60} | header
    numbers = np.random.default_rng(0).normal(size=(count, 22, 3)).astype(np.float32)
    return Library(
        numbers, numbers[:, 0], np.arange(len(names) + 1) * length, tuple(names),
        tuple(PEOPLE[(k // 2) % 4] for k in range(len(names))), tuple(name[0] for name in names), REST, header,
    )  # fmt: skip


def test_what_is_saved_is_read_again_to_the_byte(tmp_path):
    shelf().save(tmp_path / "a.npz")
    again = Library.load(tmp_path / "a.npz")
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert again.clips == shelf().clips and np.array_equal(again.poses, shelf().poses)


@pytest.mark.parametrize("split", ["heldout", "random", "cross"])
def test_no_clip_is_on_both_sides_and_none_is_lost(split):
    library = shelf()
    train, test = library.split(split)
    assert train and test and sorted(train + test) == list(range(len(library)))
    assert not {library.clips[k] for k in train} & {library.clips[k] for k in test}


def test_held_out_people_and_sources_are_on_one_side():
    library = shelf()
    train, test = library.split("heldout")
    assert {library.subjects[k] for k in test} == {"CMU14", "CMU03"} and not {
        library.subjects[k] for k in train
    } & {*HELD_OUT}
    assert {library.sources[k] for k in library.split("cross")[0]} == {"a"}


def test_common_is_what_every_split_trains_on():
    library = shelf()
    common, none = library.split("common")
    assert none == [] and {*common} == set.intersection(*({*library.split(s)[0]} for s in library.splits))


def test_the_paper_split_follows_its_list():
    library = shelf(test_clips=["a/01"])
    assert library.splits == ("paper",) and [library.clips[k] for k in library.split("paper")[1]] == [
        "a/01",
        "a/01",
    ]


def test_a_tenth_is_drawn_by_the_names_alone():
    drawn = np.mean([hundredth(f"clip {k}") < RANDOM_PERCENT for k in range(5000)])
    assert drawn == pytest.approx(RANDOM_PERCENT / 100, abs=0.015)
    assert hundredth("a/01") == hundredth("a/01")


def test_unknown_splits_and_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="split: got 'all'"):
        shelf().split("all")
    write_npz(tmp_path / "x.npz", {"poses": np.zeros(3)}, {})
    with pytest.raises(InputError, match="12_motion"):
        Library.load(tmp_path / "x.npz")


def test_frames_and_lengths():
    library = shelf()
    assert library.frames(3) == slice(90, 120) and library.length([0, 3]) == 60
