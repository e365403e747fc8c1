"""A folder of people end to end: one made-up person fitted, bad photos beside it, resumed, moved to submitit."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from avatarlab.body import Person
from avatarlab.body.model import OPEN_BODY
from avatarlab.core.errors import InputError
from avatarlab.core.files import write_json
from avatarlab.fit import __main__ as command
from avatarlab.fit.batch import folder as room
from avatarlab.fit.batch.folder import FolderSettings, statuses
from avatarlab.measure import MEASURES

WITH = ["--body", str(OPEN_BODY), "--workers", "0"]


@pytest.fixture(scope="module")
def party(person, tmp_path_factory):
    """A folder of anna (front and side, fits), bad (no photo but text) and lost (no such photo); fitted once."""
    place = tmp_path_factory.mktemp("party")
    for view, shot in person.shots.items():
        Image.fromarray(shot.photo.rgb).save(place / f"anna_{view}.png")
    (place / "bad_front.jpg").write_text("=HYPERLINK()")
    table = f"name,front,stature_cm,sex\nanna,,{100 * person.stature_m:.1f},{person.sex}\nbad,,170,\nlost,no.jpg,170,\n"
    (place / "people.csv").write_text(table)
    return place, command.main([str(place), *WITH])


def results(out):
    with open(out / "results.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def files(place):
    return {path.name: path.read_bytes() for path in sorted(place.iterdir())}


def test_a_bad_photo_fails_alone(party, person):
    place, status = party
    rows, out = results(place / "fitted"), place / "fitted"
    assert status == 1 and {name: row["state"] for name, row in rows.items()} == {
        "anna": "fitted", "bad": "failed", "lost": "failed"
    }  # fmt: skip
    assert "text file" in rows["bad"]["error"] and rows["lost"]["error"].startswith("no.jpg: no such photo")
    assert not (out / "bad").exists() and rows["bad"]["chest_cm"] == ""
    fitted = Person.load(out / "anna" / "person.npz")
    assert fitted.sex == person.sex and abs(fitted.stature_m - person.stature_m) < 0.001
    assert set(files(out / "anna")) == {
        "done.json", "measurements.json", "overlay_front.png", "overlay_side.png", "person.npz", "quality.json"
    }  # fmt: skip


def test_the_table_says_what_the_files_say(party):
    out = party[0] / "fitted"
    row = results(out)["anna"]
    measures = json.loads((out / "anna" / "measurements.json").read_text())["measures"]
    quality = json.loads((out / "anna" / "quality.json").read_text())
    for name in MEASURES:
        assert row[f"{name}_cm"] == ("" if measures[name]["value"] is None else str(measures[name]["value"]))
        assert row[f"{name}_withheld"] == (measures[name]["reason"] or "")
    assert float(row["chest_low_cm"]) < float(row["chest_cm"]) < float(row["chest_high_cm"])
    assert row["monk"] == str(quality["skin"]["monk"]) and row["ita_deg"] == str(quality["skin"]["ita_deg"])
    colour = Person.load(out / "anna" / "person.npz").blocks["skin"].mean
    assert np.allclose(colour, quality["skin"]["srgb"], atol=1e-4), "the GLB's material is the estimated tone"
    assert np.asarray(Image.open(out / "contact_sheet.png")).std() > 10


def test_what_is_finished_is_kept_until_something_changes(party, tmp_path, capsys, monkeypatch):
    place = shutil.copytree(party[0], tmp_path / "again")
    monkeypatch.setattr(room, "fit_job", forbidden)
    before, rows = files(place / "fitted" / "anna"), results(place / "fitted")
    assert command.main([str(place), *WITH]) == 1
    said = capsys.readouterr().out
    assert "[1/3] anna: kept, outline covered to 9" in said and "bad: failed" in said
    assert files(place / "fitted" / "anna") == before
    assert results(place / "fitted")["anna"] == rows["anna"]
    for change in ("photo", "fact", "definition"):
        changed = shutil.copytree(party[0], tmp_path / change)
        if change == "photo":
            Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(changed / "anna_side.png")
        if change == "fact":
            table = (changed / "people.csv").read_text()
            (changed / "people.csv").write_text(table.replace("male\n", "male \n").replace("anna,,1", "anna,,2"))
        settings = FolderSettings(str(OPEN_BODY), "iso8559" if change == "definition" else "ansur")
        ends = {one.name: one for one in statuses(changed, changed / "fitted", settings, workers=0)}
        assert ends["anna"].state == "failed" and "again" in ends["anna"].error, (
            f"another {change} must be fitted anew"
        )
        assert not (changed / "fitted" / "anna").exists(), "what belongs to other photos must not stay"


def forbidden(models, job):
    raise InputError("must not be fitted again")


@pytest.mark.slow
def test_a_cluster_makes_the_same_bytes(party, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed")
    place, _ = party
    ends = {
        one.name: one
        for one in statuses(place, tmp_path, FolderSettings(str(OPEN_BODY)), cluster="local", workers=1)
    }
    assert ends["anna"].state == "fitted" and ends["anna"].error is None and "text file" in ends["bad"].error
    assert files(tmp_path / "anna") == files(place / "fitted" / "anna")


def test_an_interruption_leaves_nothing_half_made(party, tmp_path, monkeypatch):
    place = shutil.copytree(party[0], tmp_path / "stopped", ignore=shutil.ignore_patterns("fitted"))
    monkeypatch.setattr(room, "_write", interrupted)
    assert command.main([str(place), *WITH]) == 130
    assert [path.name for path in (place / "fitted").iterdir()] == [".lock"]
    (place / "fitted" / ".fitting-left").mkdir()  # as after a power cut
    monkeypatch.setattr(room, "_write", made)
    assert command.main([str(place), *WITH]) == 1
    assert (place / "fitted" / "anna" / "done.json").is_file() and not (
        place / "fitted" / ".fitting-left"
    ).exists()


def interrupted(work, body, outsider, told, one):
    (work / "person.npz").write_bytes(b"half")
    raise KeyboardInterrupt


def made(work, body, outsider, told, one):
    """Results without a fit: an average body's."""
    from avatarlab.fit import placeholder, replaced
    from avatarlab.measure import measure

    measure(body, placeholder(body, told.subject)).save(work / "measurements.json")
    write_json(work / "quality.json", replaced(body, told.subject, "made").quality.as_json())
    write_json(work / "done.json", {"key": one.key, "facts": dict(one.facts)})


def test_what_is_not_ours_is_not_touched(party, tmp_path):
    place = shutil.copytree(party[0], tmp_path / "own", ignore=shutil.ignore_patterns("fitted"))
    (place / "anna").mkdir()
    (place / "anna" / "diary.txt").write_text("dear diary")
    ends = {one.name: one for one in statuses(place, place, FolderSettings(str(OPEN_BODY)), workers=0)}
    assert "in the way and no result of a fit" in ends["anna"].error and (place / "anna" / "diary.txt").is_file()
    (place / "fitted").symlink_to(tmp_path)
    with pytest.raises(InputError, match="a link; results are written into a folder"):
        list(statuses(place, place / "fitted", FolderSettings(str(OPEN_BODY)), workers=0))


def test_one_run_at_a_time(party, tmp_path):
    settings = FolderSettings(str(OPEN_BODY))
    running = statuses(party[0], tmp_path, settings, workers=0)
    next(running)
    with pytest.raises(InputError, match="another run is writing there"):
        next(statuses(party[0], tmp_path, settings, workers=0))
    running.close()


def test_beginnings_that_cannot_be(tmp_path, capsys):
    assert command.main([str(tmp_path / "none"), *WITH]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert command.main([str(tmp_path), "--workers", "-1"]) == 2
    assert "--workers: got -1" in capsys.readouterr().err
