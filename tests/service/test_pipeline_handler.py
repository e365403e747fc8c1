"""One real job through the chain: every file as promised, the avatar as small and whole as promised, twice the same."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import sitter
from patience import SLOWER
from PIL import Image

from avatarlab import ROOT
from avatarlab.body import Person
from avatarlab.body.layout import ARKIT_NAMES
from avatarlab.core.errors import InputError
from avatarlab.export.glb_reader import Glb
from avatarlab.measure import MEASURES
from avatarlab.service.child import Child
from avatarlab.service.kinds import Handlers

FILES = {
    "avatar.glb": "model/gltf-binary",
    "mask_front.png": "image/png",
    "mask_side.png": "image/png",
    "measurements.json": "application/json",
    "measurements_iso8559.json": "application/json",
    "person.npz": "application/octet-stream",
    "quality.json": "application/json",
    "report.html": "text/html; charset=utf-8",
    "silhouette_targets.json": "application/json",
}


def strict(path):
    """JSON without the NaN that Python would let pass."""

    def refuse(word):
        raise AssertionError(f"{path.name} holds {word}")

    return json.loads(path.read_text(), parse_constant=refuse)


def hashes(out):
    """Name -> sha256 of what lies in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}


@pytest.fixture(scope="module")
def made():
    return sitter.made()


def test_every_file_is_there_and_nothing_else(made):
    result, out, _ = made
    packed = {"avatar.meshopt.glb": "model/gltf-binary"} if shutil.which("gltfpack") else {}
    assert result.files == FILES | packed and {path.name for path in out.iterdir()} == {*result.files}
    assert not result.placeholder and result.reasons == [] and any("focal" in text for text in result.warnings)
    assert set(result.seconds) == {"observe", "fit", "measure", "export"} and min(result.seconds.values()) > 0
    assert result.made_by["body_sha256"] == sitter.body().sha256 and result.made_by["weights"] == "pretrained"


def test_progress_runs_from_stage_to_stage(made):
    far = [(one.stage, one.percent) for one in made[2]]
    assert far[0] == ("observe", 10) and far[-1] == ("export", 90)
    assert [percent for _, percent in far] == sorted(percent for _, percent in far)
    assert list(dict.fromkeys(stage for stage, _ in far)) == ["observe", "fit", "measure", "export"]
    assert sum(stage == "fit" for stage, _ in far) > 5


def test_person_and_measures_are_the_sitters(made):
    _, out, _ = made
    person = Person.load(out / "person.npz", sitter.body())
    truth, found = sitter.person().tapes_cm, strict(out / "measurements.json")
    assert person.sex == sitter.person().sex and found["definition"] == "ansur"
    assert set(found["measures"]) == {*MEASURES}
    off = [abs(entry["value"] - truth[name]) for name, entry in found["measures"].items() if entry["value"]]
    assert len(off) > 8 and np.mean(off) < 2.5, f"tapes are {np.mean(off):.1f} cm off"
    assert abs(found["measures"]["stature"]["value"] - truth["stature"]) < 0.2
    other = strict(out / "measurements_iso8559.json")
    assert other["definition"] == "iso8559" and other["measures"] != found["measures"]


def test_quality_is_plain_json(made):
    quality = strict(made[1] / "quality.json")
    assert quality["usable"] and not quality["placeholder"] and len(quality["views"]) == 2
    assert quality["skin"]["monk"] in range(1, 11)


def test_masks_are_of_the_upright_photo(made):
    _, out, _ = made
    for view in ("front", "side"):
        image = Image.open(out / f"mask_{view}.png")
        shot = sitter.person().shots[view]
        assert image.mode == "L" and image.size == (shot.photo.rgb.shape[1], shot.photo.rgb.shape[0])
        assert {*np.unique(np.asarray(image))} == {0, 255}


def test_targets_say_what_the_outline_asked_and_what_came(made):
    _, out, _ = made
    targets, quality = strict(out / "silhouette_targets.json"), strict(out / "quality.json")
    assert targets["schema"] == "avatarlab.silhouette_targets/1" and set(targets["views"]) == {"front", "side"}
    assert [view["iou"] for view in targets["views"].values()] == [view["iou"] for view in quality["views"]]
    front = targets["views"]["front"]
    assert set(front["parts"]) == {"trunk", "left_leg", "right_leg"} and set(
        targets["views"]["side"]["parts"]
    ) == {"trunk"}
    mask, compared = np.asarray(Image.open(out / front["mask"])) > 127, 0
    for part in front["parts"].values():
        assert len({len(column) for column in part.values()}) == 1
        rows = zip(part["rows"], part["ends"], part["width_mm"], part["fitted_width_mm"], strict=True)
        for row, (left, right), photo_mm, body_mm in rows:
            if left is None:
                assert right is None and photo_mm is None
                continue
            line = mask[min(round(row), len(mask) - 1)]
            assert line[round(left) + 3] and line[round(right) - 3], "the ends lie on the mask"
            if body_mm is not None:
                assert abs(photo_mm - body_mm) < 80
                compared += 1
    assert compared > 20


def test_the_avatar_is_small_whole_and_says_what_it_is(made):
    _, out, _ = made
    glb = Glb(out / "avatar.glb")
    assert (out / "avatar.glb").stat().st_size < 2_000_000 and len(glb.faces) < 10_000
    assert glb.mesh.extras["targetNames"] == list(ARKIT_NAMES) and len(ARKIT_NAMES) == 52
    assert all(len(primitive.targets) == 52 for primitive in glb.mesh.primitives)
    extras = glb.gltf.asset.extras["avatarlab"]
    assert extras["measurements"] == strict(out / "measurements.json") and not extras["placeholder"]
    assert extras["display_pose"] == {"name": "apose", "arm_down_deg": 45.0}


def test_khronos_finds_nothing_to_complain_of(made, programs):
    words = ["node", str(ROOT / "tests/export/validate.cjs"), str(programs), str(made[1] / "avatar.glb")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SLOWER * 60, check=True)
    found = json.loads(done.stdout)
    assert [found[f"num{kind}"] for kind in ("Errors", "Warnings")] == [0, 0], found["messages"]


def test_a_placeholder_is_never_silent():
    result, out = sitter.made_of_nobody()
    assert result.placeholder and "no person was found" in result.reasons[0]
    assert "avatar_placeholder.glb" in result.files and "avatar.glb" not in result.files
    assert set(result.files) == {path.name for path in out.iterdir()}
    quality, targets = strict(out / "quality.json"), strict(out / "silhouette_targets.json")
    assert quality["placeholder"] and quality["reasons"] == result.reasons and targets["views"] == {}
    assert strict(out / "measurements.json")["measures"]["chest"]["value"] is None
    assert Glb(out / "avatar_placeholder.glb").gltf.asset.extras["avatarlab"]["placeholder"]
    assert Person.load(out / "person.npz").placeholder


@pytest.mark.faults
def test_a_stature_that_fits_no_body_is_refused_or_replaced(tmp_path):
    """Half of a photo: legs are cut off and the rest is asked to be 2.4 m tall."""
    photo = tmp_path / "half.png"
    Image.fromarray(sitter.person().shots["front"].photo.rgb).save(photo)
    for on_failure in ("fail", "placeholder"):
        out = tmp_path / on_failure
        out.mkdir()
        job = sitter.task(out, {"front": photo}, on_failure, stature_cm=249, weight_kg=25)
        if on_failure == "fail":
            with pytest.raises(InputError, match=r"^front photo: no body fits\. "):
                sitter.maker().make(job, lambda _: None)
        else:
            made = sitter.maker().make(job, lambda _: None)
            assert made.placeholder and "mask_front.png" in made.files and made.reasons
            view = strict(out / "silhouette_targets.json")["views"]["front"]
            assert set(view["parts"]["trunk"]) == {"rows", "ends", "width"}, "nothing was fitted"


def test_missing_programs_and_bodies_are_told_at_the_start():
    for wrong, why in (
        ({"body_file": "no/such.npz"}, "no such file"),
        ({"gltfpack_path": "/no/such/gltfpack"}, "GLTFPACK_PATH"),
    ):
        with pytest.raises(InputError, match=why), pytest.MonkeyPatch.context() as patch:
            patch.setenv("GLTFPACK_PATH", "")
            Handlers.load(sitter.settings().model_copy(update=wrong))


@pytest.mark.faults
def test_equal_orders_give_equal_bytes_in_other_processes(made, tmp_path):
    """A fresh process, other file names: every byte of every file the same."""

    async def again(place):
        child = Child(Handlers.load, sitter.settings())
        try:
            await child.start()
            return [await child.make(sitter.task(out, place), lambda _: None) for out in (one, two)]
        finally:
            await child.close()

    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    renamed = {view: shutil.copy(path, tmp_path / f"x{view}") for view, path in sitter.photos().items()}
    results = asyncio.run(again(renamed))
    assert hashes(one) == hashes(made[1]) and hashes(two) == hashes(made[1])
    assert all(replace(result, seconds={}) == replace(made[0], seconds={}) for result in results)


@pytest.mark.faults
def test_the_compressed_avatar_is_made_where_the_program_is(made, programs, tmp_path, monkeypatch):
    monkeypatch.setenv("GLTFPACK_PATH", "")
    maker = Handlers.load(sitter.settings(gltfpack_path=str(programs / ".bin" / "gltfpack"), report=False))
    result = maker.make(sitter.task(tmp_path, sitter.photos()), lambda _: None)
    assert "avatar.meshopt.glb" in result.files and "report.html" not in result.files
    assert (tmp_path / "avatar.meshopt.glb").stat().st_size < (tmp_path / "avatar.glb").stat().st_size / 2
    fake = tmp_path / "gltfpack"
    fake.write_text("#!/bin/sh\necho out of luck >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("GLTFPACK_PATH", str(fake))
    (tmp_path / "b").mkdir()
    result = maker.make(sitter.task(tmp_path / "b", sitter.photos()), lambda _: None)
    assert "avatar.glb" in result.files and "avatar.meshopt.glb" not in result.files
    assert any("out of luck" in text and str(tmp_path) not in text for text in result.warnings), os.environ
