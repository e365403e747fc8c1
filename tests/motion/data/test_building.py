import csv
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.motion.clip import Clip
from avatarlab.motion.data.building import build, licence_of, made
from avatarlab.motion.data.procedural import Choreography, Performer, walk
from avatarlab.motion.data.recordings import damaged, skeleton_of, subject_of, takes_in, unpack, unpacked
from avatarlab.motion.skeleton import Skeleton


@pytest.mark.parametrize(
    ("source", "name", "subject"),
    [
        ("cmu_asfamc", "14_03", "CMU14"),
        ("cmu_asfamc", "131_04-dance", "CMU131"),
        ("cmu_asfamc", "charleston2", "CMU_charleston"),
        ("cmu_asfamc", "lambada", "CMU_lambada"),
        ("cmu_daz_bvh", "07_12", "CMU07"),
        ("cmu_expmap_txt", "train_walking_23", "CMU_unlabelled"),
        ("hdm05_asfamc", "HDM_tr_squat_001_120", "HDM_tr"),
        ("CMU", "14/14_03_poses", "CMU14"),
        ("mine", "ann/a", "mine/ann"),
        ("mine", "bob_1", "mine/bob"),
    ],
)
def test_who_moved_follows_from_the_name(source, name, subject):
    assert subject_of(source, Path(name)) == subject


def test_names_give_the_subjects_of_the_list():
    listed = DATA / "mocap" / "clips.csv"
    if not listed.is_file():
        pytest.skip("../shared/data/mocap has no clips.csv")
    with open(listed, newline="") as file:
        for row in csv.DictReader(file):
            source, stem = row["file"].rsplit(".", 1)[0].split("/")
            assert subject_of(source, Path(stem)) == row["subject"]


@pytest.mark.parametrize(
    ("amc", "asf"),
    [
        ("01_02", "01"), ("135_06-martialArts", "135-martialArts"), ("charleston1", "charleston"),
        ("HDM_bd_x", "HDM_bd"), ("13_29", "13"), ("99_01", None),
    ],
)  # fmt: skip
def test_an_amc_finds_its_asf(amc, asf):
    beside = [Path(f"{stem}.asf") for stem in ("01", "13", "135-martialArts", "charleston", "HDM_bd", "131-dance")]
    found = skeleton_of(Path(f"{amc}.amc"), beside)
    assert (found and found.stem) == asf


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:xz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_archives_are_unpacked_motion_files_only(tmp_path):
    packed(tmp_path / "mine.tar.xz", {"mine/a/x.bvh": b"1", "mine/readme.md": b"2", "y.bvh": b"3"})
    (tmp_path / "other").mkdir()
    found = unpacked(tmp_path, tmp_path / "scratch")
    assert [p.name for p in found] == ["mine", "other"]
    assert sorted(p.relative_to(found[0]).as_posix() for p in found[0].rglob("*.*")) == ["a/x.bvh", "y.bvh"]


def test_an_archive_that_leads_outside_or_is_cut_is_refused(tmp_path):
    evil = packed(tmp_path / "evil.tar.xz", {"evil/../../../x.bvh": b"1"})
    with pytest.raises(InputError, match="outside"):
        unpack(evil, tmp_path / "scratch" / "evil")
    assert not (tmp_path / "x.bvh").exists() and not (tmp_path.parent / "x.bvh").exists()
    (tmp_path / "cut.tar.xz").write_bytes(evil.read_bytes()[:60])
    with pytest.raises(InputError, match="cut.tar.xz"):
        unpack(tmp_path / "cut.tar.xz", tmp_path / "scratch" / "cut")


def test_sums_tell_what_is_damaged(tmp_path):
    assert damaged(tmp_path) == []
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}"
        for name, content in (("a", b"a"), ("b", b"x"), ("c", b"c"))
    ]
    (tmp_path / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    assert damaged(tmp_path) == ["b", "c"]


def test_the_archives_are_the_ones_that_were_checked():
    if not (DATA / "mocap" / "SHA256SUMS").is_file():
        pytest.skip("../shared/data/mocap is not here")
    assert damaged(DATA / "mocap") == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory, open_body):
    """Four AMASS files of two subjects at 120 Hz, one of them twice, one NaN, one too short, one pickle, one AMC without ASF, nonsense."""
    base = tmp_path_factory.mktemp("recordings")
    stage = Choreography(Skeleton.of(open_body), 0.027)
    for k in range(4):
        motion = walk(stage, Performer.drawn(k, 7), 2.5 if k else 0.8).motion(stage.skeleton)
        clip = Clip.of(motion).resampled(120.0)
        clip.save(base / "walks" / f"s{k % 2}" / f"walk{k}.npz")
    (base / "walks/s0/again.npz").write_bytes((base / "walks/s1/walk3.npz").read_bytes())
    broken = clip.poses.copy()
    broken[10:20] = np.nan
    np.savez(base / "walks/s1/broken.npz", poses=broken, trans=clip.trans, mocap_framerate=120.0)
    (base / "walks/s1/dance.pkl").write_bytes(b"\x80\x04.")
    (base / "walks/s1/lost.amc").write_text(":DEGREES\n1\n")
    (base / "walks/s1/noise.bvh").write_text("HIERARCHY nonsense\n")
    return base


@pytest.fixture(scope="module")
def built(folder, open_body):
    return build(folder, workers=0, tell=lambda line: None)


def test_a_folder_becomes_a_library(built, open_body):
    library, report = built
    assert library.clips == ("walks/s0/walk2", "walks/s1/walk1", "walks/s1/walk3")
    assert library.subjects == ("walks/s0", "walks/s1", "walks/s1") and {*library.sources} == {"walks"}
    assert np.diff(library.starts) == pytest.approx([150, 150, 150], abs=1)
    assert library.header["rate"] == 60 and library.header["bases"]["skeleton"] == open_body.bases["skeleton"]
    assert library.header["low_pass_hz"] == 8 and library.header["segments_frames"]["walks"][0] == 3
    assert report.takes["walks/s1/walk1"]["kept_s"] == pytest.approx(2.5, abs=0.05)


def test_what_was_left_out_is_said_with_its_reason(built):
    reasons = dict(built[1].skipped)
    assert set(reasons) == {
        f"walks/{name}" for name in ("s0/again", "s0/walk0", "s1/broken", "s1/dance", "s1/lost", "s1/noise")
    }
    assert "NaN" in reasons["walks/s1/broken"] and "pickle" in reasons["walks/s1/dance"]
    assert "same motion as walks/s1/walk3" in reasons["walks/s0/again"]
    assert "ASF" in reasons["walks/s1/lost"] and "60 frames" in reasons["walks/s0/walk0"]
    assert built[0].header["skipped"] == [list(pair) for pair in built[1].skipped]


def test_the_walk_comes_out_as_it_was_and_stands_on_the_floor(built, open_body):
    library, _ = built
    stage = Choreography(Skeleton.of(open_body), 0.027)
    true = walk(stage, Performer.drawn(1, 7), 2.5).motion(stage.skeleton)
    frames = library.frames(library.clips.index("walks/s1/walk1"))
    clip = Clip.of(true)
    off = np.abs(library.poses[frames] - clip.poses[:, :66].reshape(-1, 22, 3)[: frames.stop - frames.start])
    assert np.median(off) < 0.01 and off[20:-20].mean() < 0.03
    assert np.abs(library.trans[frames][20:-20] - true.trans[20:-20].numpy())[:, 2].max() < 0.03


def test_the_same_folder_gives_the_same_bytes(built, folder, tmp_path):
    built[0].save(tmp_path / "a.npz")
    build(folder, workers=0, tell=lambda line: None)[0].save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_made_up_people_fill_all_splits(open_body):
    pytest.importorskip("anny")
    library, report = made()
    assert library.header["made_up"] and len(report.takes) == len(library)
    for split in library.splits:
        train, test = library.split(split)
        assert library.length(train) > 5000 and library.length(test) > 500
    assert library.length(library.split("common")[0]) > 5000


def test_a_folder_without_motion_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no recordings"):
        build(tmp_path, workers=0)
    with pytest.raises(InputError, match="is no folder"):
        build(tmp_path / "none", workers=0)


def test_terms_are_named_or_said_to_be_unknown():
    assert "SA 3.0" in licence_of("hdm05_asfamc") and "CMU" in licence_of("cmu_daz_bvh")
    assert "not known" in licence_of("mine")


def test_takes_are_listed_in_order_and_orphans_named(tmp_path):
    for name in ("b.bvh", "a.bvh", "x.amc", "y.amc", "one.asf", "two.asf"):
        (tmp_path / name).write_text("")
    found, orphans = takes_in(tmp_path)
    assert [Path(take.name).name for take in found] == ["a", "b"] and [Path(n).name for n, _ in orphans] == [
        "x",
        "y",
    ]
