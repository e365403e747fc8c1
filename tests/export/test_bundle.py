"""One avatar's folder: what is asked for is there, progress is told, and the page in which it turns asks nobody."""

from dataclasses import replace

import pytest
from PIL import Image

from avatarlab.core.subject import Subject
from avatarlab.export import avatar, bundle
from avatarlab.export.glb_reader import Glb
from avatarlab.synthetic.rendered import rendered_person


@pytest.fixture(scope="module")
def models(open_body, open_lod):
    return bundle.Models(open_body, open_lod)


@pytest.fixture(scope="module")
def person(open_body):
    return rendered_person(open_body, 7, views=("front",))


@pytest.fixture(scope="module")
def made(models, person, tmp_path_factory):
    """The bundle of a rendered person's front photo, where it lies, and what was told."""
    place, told = tmp_path_factory.mktemp("avatar"), []
    photos = {"front": person.shots["front"].photo}
    wishes = bundle.ExportOptions(turning=True)
    found = bundle.make(place, "ida <b>", photos, person.subject, models, wishes, lambda *step: told.append(step))
    return found, place, told


def test_every_file_is_there_and_nothing_else(made):
    found, place, _ = made
    assert sorted(found.files) == sorted(path.name for path in place.iterdir())
    assert {"avatar.glb", "measurements.json", "person.npz", "report.html", "mask_front.png"} <= {*found.files}
    assert len(Glb(place / "avatar.glb").faces) < 10_000 and found.warnings == ()
    assert found.person.subject.clothes == "minimal"


def test_stages_are_told_in_order_and_timed(made):
    found, _, told = made
    assert [*dict.fromkeys(stage for stage, _ in told)] == list(bundle.STAGES) == [*found.seconds]
    shares = [share for stage, share in told if stage == "fit"]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1


def test_a_still_report_has_no_script_and_a_turning_one_asks_nobody(made, models, tmp_path):
    found, place, _ = made
    text = (place / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text and "connect-src" not in text
    assert "<h2>The avatar" in text and "ida &lt;b&gt;" in text and "ida <b>" not in text
    bundle._report(tmp_path, "ida", found.person, models, bundle.ExportOptions(definitions=()))
    still = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in still and "script-src" not in still and "The avatar" not in still


@pytest.mark.browser
def test_the_avatar_turns_until_it_is_touched(made, offline):
    page, complaints = offline(made[1] / "report.html")
    frame = page.locator("iframe.view")
    inside = frame.element_handle().content_frame()
    inside.wait_for_function("window.turntable", timeout=60_000)

    before = inside.evaluate("window.turntable.camera.position.x")
    inside.wait_for_function(f"Math.abs(window.turntable.camera.position.x - ({before})) > 0.01", timeout=60_000)
    frame.click()
    inside.wait_for_function("!window.turntable.turning")
    fonts = [text for text in complaints if "KaTeX" in text]  # k3d's style names files that the page may not fetch
    assert complaints == fonts


def test_the_command_makes_the_folder_whole(monkeypatch, capsys, tmp_path, person, open_body, open_lod):
    Image.fromarray(person.shots["front"].photo.rgb).save(tmp_path / "ida.png")
    monkeypatch.setattr(bundle.Models, "load", lambda: bundle.Models(open_body, open_lod))
    monkeypatch.setattr(avatar.webbrowser, "open", lambda address: pytest.fail("no screen was asked for"))
    out = tmp_path / "demo"
    words = [str(tmp_path / "ida.png"), "--stature-cm", f"{100 * person.stature_m:.1f}", "--out", str(out)]
    assert avatar.main([*words, "--no-browser"]) == 0
    said = capsys.readouterr().out
    assert "... fitting the body, 50 %" in said and f"Open {(out / 'report.html').as_uri()}" in said
    assert "ida, in cm" in said and "stature" in said and (out / "avatar.glb").is_file()
    assert oct(out.stat().st_mode & 0o777) == "0o755" and sorted(p.name for p in tmp_path.iterdir()) == [
        "demo",
        "ida.png",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.jpg", "--stature-cm", "178"], "none.jpg: no such file"),
        (["none.jpg"], "stature_cm is missing; the photo alone does not tell"),
        (["none.jpg", "--stature-cm", "1.78"], "Did you pass metres?"),
        (["none.jpg", "--stature-cm", "tall"], "stature_cm: got 'tall', expected a number, such as 178.5"),
        (["none.jpg", "--stature-cm", "178", "--sex", "man"], "sex: got 'man'"),
        (["--side", "none.jpg"], "stature_cm is missing"),
        (["skimage:cat", "--stature-cm", "178"], "expected skimage:astronaut"),
    ],
)
def test_bad_input_is_told_in_a_sentence(words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert avatar.main([*words, "--no-browser"]) == 2
    assert says in capsys.readouterr().err and [*tmp_path.iterdir()] == []


def test_somebody_else_s_folder_is_not_touched(capsys, tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    assert avatar.main(["--out", str(tmp_path), "--no-browser"]) == 2
    assert "in the way and holds no avatar" in capsys.readouterr().err and (tmp_path / "diary.txt").is_file()


def test_without_a_photo_it_is_the_astronaut():
    told = avatar._case(avatar.arguments().parse_args([]))
    assert told.name == "astronaut" and told.subject == Subject(1.68)
    tall = avatar._case(avatar.arguments().parse_args(["--stature-cm", "170", "--weight-kg", "60"]))
    assert tall.subject == replace(Subject(1.7), weight_kg=60.0)
