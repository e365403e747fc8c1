"""The paper's settings on tiny made-up AMASS trees: who is on which side, how frames are taken, what is refused."""

import runpy
import sys

import numpy as np
import pytest

from avatarlab.body.model import OPEN_BODY
from avatarlab.core.errors import InputError
from avatarlab.motion.clip import Clip
from avatarlab.motion.data.library import Library
from avatarlab.motion.data.windows import Windows
from avatarlab.motion.paper import building, settings
from avatarlab.motion.paper.__main__ import main

FRAMES = 90


def write(path, frames=FRAMES, rate=120.0, **changed):
    """An "SMPL+H G" file whose trans counts its frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    poses = np.full((frames, 156), 0.1)
    trans = np.stack([np.arange(frames) * 0.001] * 3, 1)
    arrays = {"poses": poses, "trans": trans, "betas": np.ones(16), "gender": "male", "mocap_framerate": rate}
    np.savez(path, **{key: value for key, value in (arrays | changed).items() if value is not None})


@pytest.fixture
def amass(tmp_path):
    """Every subset with two subjects of two clips, three under their older names; and shapes without motion."""
    old = {"HDM05", "BMLrub", "Transitions"}
    for subset, names in settings.SUBSETS.items():
        folder = tmp_path / "amass" / (names[-1] if subset in old else subset)
        for subject in ("s1", "s2"):
            for take in ("a", "b"):
                write(folder / subject / f"{take}_poses.npz")
            write(folder / subject / "shape.npz", poses=None, trans=None, mocap_framerate=None)
    return tmp_path / "amass"


@pytest.fixture
def splits(tmp_path):
    """Lists as SAGE has them, one of them as AvatarPoser has them; CMU's names are of the old release."""
    folder = tmp_path / "lists"
    names = {
        "CMU": "CMU_{}.txt",
        "BioMotionLab_NTroje": "BioMotionLab_NTroje/{}_split.txt",
        "MPI_HDM05": "MPI_HDM05_{}.txt",
    }
    for name, form in names.items():
        for side, lines in (("train", ["s1/a", "s1/b", "s2/a", "s9/gone"]), ("test", ["s2/b"])):
            path = folder / form.format(side)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{name}/{line}_poses.npz\n" for line in lines))
    return folder


@pytest.fixture
def loaded(open_body, monkeypatch):
    """The open body, loaded once for all libraries here."""
    monkeypatch.setattr(building.Body, "load", lambda path: open_body)


def sides(found):
    return {side: [e.path for e in found if e.test == side] for side in (False, True)}


def test_setting_1_follows_the_lists_through_old_and_new_names(amass, splits):
    found = settings.entries(1, amass, splits)
    of = sides(found)
    assert len(of[False]) == 9 and len(of[True]) == 3
    assert "BioMotionLab_NTroje/s2/b_poses.npz" in of[True] and "CMU/s1/a_poses.npz" in of[False]
    assert {e.subset for e in found} == set(settings.LISTED) and found[0].subject == "CMU/s1"
    for path in (amass / "CMU").rglob("*_poses.npz"):  # today's names of the same takes
        path.rename(path.with_name(path.name.replace("_poses", "_stageii")))
    assert len(settings.entries(1, amass, splits)) == 12


def test_setting_2_tests_on_two_subsets_of_their_own(amass):
    found = settings.entries(2, amass)
    assert {e.subset for e in found if e.test} == {"HumanEva", "Transitions"}
    assert {e.subset for e in found if not e.test} == set(settings.TRAINED) and len(found) == 14 * 4
    assert len(settings.TRAINED) == 12 and not set(settings.TRAINED) & set(settings.TESTED)
    assert set(settings.TRAINED) | set(settings.TESTED) == set(settings.SUBSETS)


def test_setting_3_draws_nine_tenths_again_and_again(amass):
    found = settings.entries(3, amass)
    of = sides(found)
    assert len(of[False]) == 50 and len(of[True]) == 6 and not set(of[False]) & set(of[True])
    assert settings.entries(3, amass) == found
    assert len({e.subset for e in found if not e.test}) > 12


def test_frames_are_thinned_out_as_in_the_paper_or_resampled():
    def clip(rate):
        return Clip(np.zeros((FRAMES, 165)), np.stack([np.arange(FRAMES) * 0.01] * 3, 1), mocap_frame_rate=rate)

    for rate, step in ((120, 2), (120.00004577, 2), (100, 2), (60, 1), (59.94, 1), (250, 4), (30, 1), (20, 1)):
        thin = building.strided(clip(rate))
        assert thin.mocap_frame_rate == 60 and np.allclose(thin.trans[:, 0], np.arange(FRAMES)[::step] * 0.01)


def test_a_library_trains_and_tests_where_the_setting_says(amass, splits, loaded, tmp_path):
    out = tmp_path / "paper1.npz"
    write(amass / "CMU" / "s1" / "a_poses.npz", frames=30)  # 15 at 60 Hz: too short to learn from
    write(amass / "MPI_HDM05" / "s2" / "b_poses.npz", frames=20, rate=60)  # short, yet long enough to test on
    write(amass / "CMU" / "s1" / "b_poses.npz", mocap_framerate=None)
    argv = [
        str(amass),
        "1",
        "--splits",
        str(splits),
        "--out",
        str(out),
        "--body",
        str(OPEN_BODY),
        "--workers",
        "0",
    ]
    assert main(argv) == 0
    library = Library.load(out)
    assert library.splits == ("paper",) and library.header["setting"] == 1
    train, test = library.split("paper")
    assert len(train) == 7 and len(test) == 3 and library.split("common") == (train, [])
    reasons = dict(library.header["skipped"])
    assert "15 frames at 60 Hz, 21" in reasons["CMU/s1/a_poses.npz"] and "rate" in reasons["CMU/s1/b_poses.npz"]
    assert len(reasons) == 2
    short = next(k for k in test if library.sources[k] == "HDM05")
    assert library.length([short]) == 20 and library.length(train) == 7 * FRAMES // 2
    assert np.allclose(np.diff(library.trans[library.frames(train[0])][:, 0]), 0.002, atol=1e-5)
    assert np.allclose(library.poses, 0.1)
    windows = Windows(library, train, 20)
    assert windows.at(windows.first[:2] + 19).rotations.shape == (2, 20, 22, 3, 3)
    first = out.read_bytes()
    assert main(argv) == 0 and out.read_bytes() == first


def test_true_resampling_is_a_switch(amass, loaded):
    for path in (amass / "HumanEva").rglob("*_poses.npz"):
        write(path, rate=100.0, frames=101)
    kept = {}
    for resample in (False, True):
        library = building.build(2, amass, None, OPEN_BODY, resample, 0, lambda line: None)
        kept[resample] = library.length([k for k in library.split("paper")[1] if library.sources[k] == "HumanEva"])
    assert kept == {False: 4 * 51, True: 4 * 61}


@pytest.mark.parametrize(
    ("spoil", "given", "said"),
    [
        (lambda a, s: None, (4, True), "expected 1, 2 or 3"),
        (lambda a, s: None, (1, False), "needs the folder of AvatarPoser's lists"),
        (lambda a, s: (a / "CMU").rename(a / "C"), (1, True), "no folder CMU"),
        (lambda a, s: (a / "MPI_HDM05").rename(a / "H"), (3, False), "no folder HDM05 or MPI_HDM05"),
        (lambda a, s: (s / "CMU_test.txt").unlink(), (1, True), "has no CMU_test.txt"),
        (lambda a, s: (s / "CMU_test.txt").write_text("CMU/x/y_poses.npz\n"), (1, True), "none of the 1 clips"),
        (
            lambda a, s: (s / "CMU_test.txt").write_text("KIT/x/y_poses.npz\n"),
            (1, True),
            "expected paths below CMU",
        ),
        (lambda a, s: (s / "CMU_test.txt").write_text("/etc/passwd\n"), (1, True), "got '/etc/passwd'"),
    ],
)
def test_what_is_missing_is_named(amass, splits, spoil, given, said):
    spoil(amass, splits)
    with pytest.raises(InputError, match=said):
        settings.entries(given[0], amass, splits if given[1] else None)


def test_nothing_is_written_where_no_clip_is_left(amass, splits, loaded, tmp_path, capsys):
    for path in amass.rglob("*_poses.npz"):
        write(path, frames=12)
    argv = [str(amass), "2", "--out", str(tmp_path / "x.npz"), "--body", str(OPEN_BODY), "--workers", "0"]
    assert main(argv) == 2 and not (tmp_path / "x.npz").exists()
    assert "no clip to learn from is left of setting 2" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), *argv[1:]]) == 2


def test_the_module_runs_as_a_command(amass, loaded, tmp_path, monkeypatch, capsys):
    argv = [amass, "3", "--out", tmp_path / "p.npz", "--workers", "0"]
    monkeypatch.delitem(sys.modules, "avatarlab.motion.paper.__main__")
    monkeypatch.setattr(sys, "argv", ["paper", *map(str, argv)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("avatarlab.motion.paper", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert "50 clips to learn from, 6 to test on" in capsys.readouterr().out
