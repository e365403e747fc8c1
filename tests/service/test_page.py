"""The page in a real Chromium against the real API: from the form to the avatar turning, and everything that goes wrong."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from patience import SLOWER
from PIL import Image
from showroom import TOKEN, Showroom, write_results

from avatarlab.measure.definitions import MEASURES
from avatarlab.service import page as page_files

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>'; DROP TABLE avatars;--"
REFUSALS = re.compile(r"the server responded with a status of (4\d\d|503)|net::ERR_")
"""Chromium writes every refused request into its console; those are asked for."""


@pytest.fixture(scope="module")
def results(open_body, tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results"), open_body)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with Showroom(tmp_path_factory.mktemp("room")) as one:
        yield one


@pytest.fixture
def browse(chromium, room):
    """A function: the page at ``path`` in a fresh browser that reaches the API and nothing else; complaints fail."""
    room.queue.tickets.clear()
    contexts, complaints, strangers = [], [], []

    def opened(path=f"/#token={TOKEN}", width=1100, height=900, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOWER * 15_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: strangers.append(r.url) if not _ours(r.url, room.address) else None)
        page.goto(room.address + path)
        return page

    opened.complaints, opened.strangers = complaints, strangers
    yield opened
    for context in contexts:
        context.close()
    room.front.be("pass")
    assert [text for text in complaints if not REFUSALS.search(text)] == []
    assert strangers == [], "the page asked somebody else"


def _ours(url: str, address: str) -> bool:
    return url.startswith((address + "/", f"blob:{address}/", "data:"))


def photo(name: str = "front.jpg", size=(300, 400), noise: bool = False) -> dict:
    """A photo as a browser picks it from a disk."""
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8) if noise else None
    image = Image.fromarray(pixels) if noise else Image.new("RGB", size, "#7a8")
    data = io.BytesIO()
    image.save(data, "JPEG", quality=95)
    return {"name": name, "mimeType": "image/jpeg", "buffer": data.getvalue()}


def fill(page, subject="Anna", stature="171,2", **photos):
    page.set_input_files("#front", photos.get("front", photo()))
    if "side" in photos:
        page.set_input_files("#side", photos["side"])
    page.get_by_label("Name").fill(subject)
    page.get_by_label("Stature").fill(stature)


def send(page):
    page.get_by_role("button", name="Make the avatar").click()


def shown(page, section: str):
    """Wait for one of the five sections."""
    page.wait_for_selector(f"#{section}:not([hidden])")


def eventually(page, true) -> None:
    """Ask until it is so; Playwright's own waiting for a condition needs eval, which the page's policy forbids."""
    end = time.monotonic() + SLOWER * 15
    while not true():
        assert time.monotonic() < end, "it did not come true"
        page.wait_for_timeout(30)


def at_job(id: str) -> str:
    return f"/?job={id}#token={TOKEN}"


def picture(page) -> np.ndarray:
    """The canvas as drawn (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator("#avatar").screenshot())).convert("RGB")).astype(int)


def skin(pixels: np.ndarray) -> np.ndarray:
    """Where something as warm as skin is (H, W)."""
    return pixels[..., 0] - pixels[..., 2] > 25


def at_rest(page) -> np.ndarray:
    """The canvas once two pictures of it, half a second apart, are equal."""
    for _ in range(20):
        before = picture(page)
        page.wait_for_timeout(500)
        if skin(before).any() and (picture(page) == before).all():
            return before
    raise AssertionError("it never came to rest")


# --- from photos to an avatar ---


def test_two_photos_become_a_turning_avatar_with_its_measurements(browse, room, results):
    page = browse()
    assert TOKEN not in page.url
    fill(page, HOSTILE, front=photo(), side=photo("side.jpg"))
    page.get_by_label("Weight").fill("70.5")
    page.locator("label", has_text="Female").click()
    assert page.locator(".preview").evaluate_all("all => all.map(one => one.naturalWidth)") == [300, 300]
    send(page)
    shown(page, "work")
    id = room.job()
    job = room.queue.tickets[id].job
    assert (job.subject, job.stature_cm, job.weight_kg, job.sex) == (HOSTILE, 171.2, 70.5, "female")
    assert {*job.input_keys} == {"front", "side"} and job.definitions == ["ansur"]
    room.be(id, "active", "fit", 46)
    page.get_by_text("46 %", exact=True).wait_for()
    assert page.locator("#stage").inner_text() == "Fitting the body"
    assert page.locator("#bar").get_attribute("value") == "46"
    assert page.locator("#steps .past").count() == 3 and page.locator("#steps .now").count() == 1
    room.finish(id, results)
    page.locator("#controls").wait_for()
    assert page.locator("#done-title").inner_text() == HOSTILE and page.locator("#done img[src=x]").count() == 0
    rows = page.locator("#measures tbody tr")
    assert rows.count() == len(MEASURES) == 16
    assert re.fullmatch(r"Waist girth\s+\d\d\.\d\s+\d\d\.\d to \d\d\.\d", rows.nth(5).inner_text())
    assert rows.nth(15).inner_text().split("\t")[-1] == "withheld: <b>the feet</b> are not in the picture"
    assert "<img src=x" in page.locator("#warnings").inner_text()
    page.get_by_label("Measured by").select_option(label="ISO 8559-1")
    assert "ISO 8559-1" in page.locator("caption").inner_text() and rows.count() == 16
    assert page.locator("#masks img").evaluate_all("all => all.map(one => one.naturalWidth)") == [90, 90]
    page.reload()
    page.locator("#controls").wait_for()
    assert page.url.endswith(f"?job={id}")


@pytest.mark.faults
def test_the_canvas_shows_a_body_that_turns(browse, room, results):
    room.finish(id := room.wait(), results)
    page = browse(at_job(id))
    page.locator("#controls").wait_for()
    page.wait_for_timeout(400)
    first = picture(page)
    tall, wide = (np.flatnonzero(skin(first).any(axis)) for axis in (1, 0))
    height, width = first.shape[:2]
    assert 0.6 * height < np.ptp(tall) < 0.95 * height and 0.3 * width < np.ptp(wide) < width
    assert tall.min() > 0.02 * height and wide.min() > 0 and wide.max() < width - 1, "the body is cut off"
    eventually(page, lambda: (np.abs(picture(page) - first).max(axis=2) > 40).mean() > 0.02)
    page.get_by_role("button", name="Stop turning").click()
    still = at_rest(page)
    page.locator("#avatar").focus()
    page.keyboard.press("+")
    eventually(page, lambda: skin(picture(page)).sum() > 1.2 * skin(still).sum())


@pytest.mark.faults
def test_who_asked_for_less_motion_gets_none_until_asked(browse, room, results):
    room.finish(id := room.wait(), results)
    page = browse(at_job(id), reduced_motion="reduce")
    page.locator("#controls").wait_for()
    still = at_rest(page)
    page.locator("#avatar").focus()
    page.keyboard.press("ArrowRight")
    eventually(page, lambda: (picture(page) != still).any())


@pytest.mark.faults
def test_files_are_downloaded_as_they_are_stored(browse, room, results):
    room.finish(id := room.wait(), results)
    page = browse(at_job(id))
    with page.expect_download() as coming:
        page.get_by_role("button", name="avatar.glb").click()
    assert coming.value.suggested_filename == "avatar.glb"
    assert coming.value.path().read_bytes() == (results / "avatar.glb").read_bytes()
    assert page.locator("#files li").count() == len([*results.iterdir()]) + 1  # and the manifest


@pytest.mark.faults
def test_a_placeholder_cannot_be_taken_for_the_person(browse, room, results):
    room.finish(id := room.wait(), results, placeholder=True, reasons=["no person was <i>found</i>."])
    page = browse(at_job(id))
    page.locator("#controls").wait_for()
    assert "not the person in the photos" in page.get_by_role("alert").inner_text()
    assert page.locator("#reasons").inner_text() == "No person was <i>found</i>."
    assert page.locator("#stamp").is_visible() and page.title() == "Placeholder ready"
    assert page.locator("caption").inner_text().startswith("Placeholder")
    line = page.locator("#measures .value").first.evaluate("one => getComputedStyle(one).textDecorationLine")
    assert line == "line-through"


@pytest.mark.faults
def test_without_webgl_there_is_a_sentence_and_the_file(browse, room, results):
    room.finish(id := room.wait(), results)
    page = browse("/")
    page.context.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(room.address + at_job(id))
    page.get_by_text("WebGL is missing").wait_for()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download avatar.glb").click()
    assert coming.value.path().stat().st_size == (results / "avatar.glb").stat().st_size
    assert page.locator("#measures tbody tr").count() == 16 and not page.locator("#controls").is_visible()


# --- what is refused ---


def test_an_empty_form_is_not_sent_and_says_what_is_missing(browse, room):
    page = browse()
    send(page)
    for name in ("front", "subject", "stature_cm"):
        assert page.locator(f"#{name}-fault").is_visible()
    assert page.evaluate("document.activeElement.id") == "front"
    assert room.queue.tickets == {}


def test_what_can_be_checked_here_is(browse, room):
    page = browse()
    fill(page)
    for label, field, text, says in (
        ("Stature", "stature_cm", "1.75", "Expected 100 to 250 centimetres. Are these metres?"),
        ("Stature", "stature_cm", "1750", "Expected 100 to 250 centimetres. Are these millimetres?"),
        ("Stature", "stature_cm", "tall", "Expected 100 to 250 centimetres."),
        ("Weight", "weight_kg", "7", "Expected 20 to 300 kilograms."),
        ("Name", "subject", " ", "Give the person a name; any will do."),
    ):
        page.get_by_label(label).fill(text)
        send(page)
        assert page.locator(f"#{field}-fault").inner_text() == says
        assert page.evaluate("document.activeElement.id") == field
        page.get_by_label(label).fill("120")
        assert not page.locator(f"#{field}-fault").is_visible()
    page.locator("label", has_text="ANSUR II").click()
    send(page)
    assert page.locator("#definitions-fault").inner_text() == "Choose at least one."
    assert room.queue.tickets == {}


def test_photos_are_checked_by_kind_and_shown_where_chromium_can(browse):
    page = browse()
    page.set_input_files("#front", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"})
    assert page.locator("#front-fault").inner_text() == "Expected JPEG, PNG, WebP or HEIC."
    page.set_input_files("#front", {"name": "<b>me.HEIC", "mimeType": "", "buffer": b"\0\0\0\x18ftypheic"})
    page.get_by_text("cannot show HEIC").wait_for()
    assert page.locator(".drop[data-view=front] .chosen").inner_text().startswith("<b>me.HEIC is chosen")
    assert not page.locator("#front-fault").is_visible()
    page.get_by_role("button", name="Remove the front photo").click()
    assert page.evaluate("document.getElementById('front').files.length") == 0


def test_the_servers_refusal_stands_beside_its_field(browse, room):
    page = browse()
    fill(page, side={"name": "side.jpg", "mimeType": "image/jpeg", "buffer": b"no photo at all"})
    send(page)
    page.locator("#side-fault").get_by_text("this is not a photo we can read", exact=False).wait_for()
    assert page.locator("#side").get_attribute("aria-invalid") == "true" and room.queue.tickets == {}
    assert page.get_by_label("Name").input_value() == "Anna", "what was typed is lost"


def test_a_full_queue_is_said_with_its_time(browse, room):
    page = browse()
    fill(page)
    room.queue.full = True
    send(page)
    page.locator("#form-fault").get_by_text(re.compile(r"10000 jobs are waiting.*Try again in \d+ s\.")).wait_for()
    room.queue.full = False
    send(page)
    shown(page, "work")


def test_a_failed_job_says_why_and_the_form_is_kept(browse, room):
    page = browse()
    fill(page, "Berta")
    send(page)
    shown(page, "work")
    room.be(room.job(), "failed", reason="front: no person was found in <b>it</b>")
    shown(page, "sorry")
    assert page.get_by_role("alert").inner_text() == "Front: no person was found in <b>it</b>."
    boxes = [one.bounding_box() for one in page.locator("#sorry .buttons > *").all()]
    assert len(boxes) == 2 and boxes[0]["y"] == boxes[1]["y"] and boxes[0]["height"] == boxes[1]["height"]
    page.get_by_role("link", name="Back to the form").click()
    assert page.get_by_label("Name").input_value() == "Berta" and "job" not in page.url


def test_a_job_that_is_tried_again_says_so(browse, room):
    id = room.wait()
    room.be(id, "delayed", reason="the storage cannot be reached")
    page = browse(at_job(id))
    page.locator("#stage").get_by_text("Will be tried again").wait_for()
    assert page.locator("#work-hint").inner_text() == "The storage cannot be reached."


@pytest.mark.parametrize("job", ["00000000-0000-4000-8000-00000000dead", "../../etc/passwd"])
def test_a_job_nobody_knows(browse, job):
    page = browse(f"/?job={job}#token={TOKEN}")
    shown(page, "sorry")
    assert page.locator("#sorry-title").inner_text() == "Not found"


# --- tokens, network, deleting ---


def test_a_token_is_asked_for_and_an_expired_one_again(browse, room):
    page = browse("/")
    shown(page, "ask")
    page.get_by_label("Token").fill("an-expired-token-of-old")
    page.get_by_role("button", name="Continue").click()
    fill(page)
    send(page)
    page.get_by_text("does not accept this token").wait_for()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Continue").click()
    shown(page, "make")
    assert page.get_by_label("Name").input_value() == "Anna", "what was typed is lost"
    send(page)
    shown(page, "work")
    kept = page.evaluate("[JSON.stringify(localStorage), document.cookie, sessionStorage.length]")
    assert kept == ["{}", "", 1]


@pytest.mark.faults
def test_a_network_that_goes_away_is_said_and_waited_for(browse, room):
    id = room.wait()
    page = browse(at_job(id))
    page.locator("#stage").get_by_text("Waiting for a free worker").wait_for()
    room.front.be("refuse")
    page.locator("#network").get_by_text("Your job is safe there").wait_for()
    room.front.be("pass")
    room.be(id, "active", "measure", 80)
    page.get_by_text("80 %", exact=True).wait_for()
    assert not page.locator("#network").is_visible()


@pytest.mark.faults
def test_sending_shows_how_far_and_can_be_stopped(browse, room):
    page = browse()
    fill(page, front=photo(size=(2000, 2600), noise=True))
    room.front.bytes_s = 500_000
    room.front.be("pass")  # cuts the connections that were opened at full speed
    try:
        send(page)
        eventually(page, lambda: int(page.locator("#percent").inner_text().split()[0]) > 0)
        assert page.locator("#stage").inner_text() == "Sending the photos"
        page.get_by_role("button", name="Stop and delete").click()
        shown(page, "make")
    finally:
        room.front.bytes_s = 0
    assert room.queue.tickets == {}


@pytest.mark.faults
def test_a_broken_upload_is_sent_again_under_the_same_id(browse, room):
    page = browse()
    fill(page)
    room.front.be("refuse")
    send(page)
    page.locator("#form-fault").get_by_text("broke off").wait_for()
    room.front.be("pass")
    ids = [_sent(page)]
    page.go_back()
    shown(page, "make")
    ids.append(_sent(page))
    page.go_back()
    shown(page, "make")
    page.get_by_label("Name").fill("Carla")
    ids.append(_sent(page))
    assert ids[0] == ids[1] != ids[2] and {*room.queue.tickets} == {*ids}


def _sent(page) -> str:
    with page.expect_response(lambda answer: answer.request.method == "POST") as coming:
        send(page)
    shown(page, "work")
    assert coming.value.status == 202
    return coming.value.json()["id"]


@pytest.mark.faults
def test_deleting_asks_first_and_leaves_nothing(browse, room, results):
    room.finish(id := room.wait(), results)
    page = browse(at_job(id))
    page.get_by_role("button", name="Delete photos and results").click()
    page.get_by_role("button", name="Keep").click()
    assert room.storage.keys(f"avatars/{id}/")
    page.get_by_role("button", name="Delete photos and results").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    shown(page, "sorry")
    assert page.locator("#sorry-title").inner_text() == "Deleted" and not room.storage.keys(f"avatars/{id}/")
    page.reload()
    page.locator("#sorry-title").get_by_text("Deleted").wait_for()


# --- for everybody, everywhere ---


@pytest.mark.parametrize("width", [320, 380])
def test_a_narrow_screen_never_scrolls_sideways(browse, room, width):
    room.be(active := room.wait(), "active", "fit", 50)
    for path, section in ((f"/#token={TOKEN}", "make"), (at_job(active), "work")):
        page = browse(path, width=width, height=700)
        shown(page, section)
        if section == "make":
            send(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, section


@pytest.mark.faults
@pytest.mark.parametrize("width", [320, 380])
def test_nor_does_the_longest_result(browse, room, results, width):
    room.finish(done := room.wait("a" * 90), results, placeholder=True, reasons=["no person was found."])
    page = browse(at_job(done), width=width, height=700)
    page.locator("#controls").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(browse, scheme):
    page = browse("/", color_scheme=scheme)
    rgb = page.evaluate(COLOURS)
    pairs = [(ink, ground) for ink in ("ink", "soft", "link", "bad") for ground in ("card", "ground", "sunk")]
    pairs += [("bad", "bad-ground"), ("warn", "warn-ground"), ("ink", "tint"), ("soft", "tint"), ("warn", "card")]
    poor = {pair: round(contrast(*(rgb[one] for one in pair)), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}
    assert contrast(rgb["edge"], rgb["card"]) > 3 and contrast([255, 255, 255], rgb["blue"]) > 4.5


COLOURS = """() => {
  const probe = document.body.appendChild(document.createElement("i")), found = {};
  const names = ["ink","soft","link","bad","warn","card","ground","sunk","tint","bad-ground","warn-ground","edge","blue"];
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  }
  return found;
}"""


def contrast(one, other) -> float:
    """WCAG 2's contrast ratio of two sRGB colours (0 to 255)."""
    linear = [
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(x) / 255]
        for x in (one, other)
    ]
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in linear)
    return (high + 0.05) / (low + 0.05)


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(browse):
    page = browse()
    nameless = page.evaluate("""() => [...document.querySelectorAll("input, select, button, canvas, a, progress")]
      .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
        || one.textContent.trim())).map((one) => one.id || one.name)""")
    assert nameless in ([], ["avatar"])  # named when it shows something
    seen = Counter()
    for _ in range(25):
        page.keyboard.press("Tab")
        seen[
            page.evaluate(
                "document.activeElement.id || document.activeElement.name || document.activeElement.innerText"
            )
        ] += 1
    expected = {
        "front",
        "side",
        "subject",
        "stature_cm",
        "weight_kg",
        "sex",
        "clothes",
        "display_pose",
        "definitions",
    }
    assert expected | {"Make the avatar"} <= {*seen}


def test_nothing_but_the_pages_own_files_may_run(browse, room):
    page = browse()
    page.evaluate("""() => {
      window.stopped = [];
      document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(event.effectiveDirective));
      document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = true" }));
      document.body.append(Object.assign(document.createElement("div"), { innerHTML: "<p style='color:red'>x</p>" }));
      document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/x.png" }));
    }""")
    eventually(page, lambda: page.evaluate("window.stopped.length") >= 3)
    assert {*page.evaluate("window.stopped")} == {"script-src-elem", "style-src-attr", "img-src"}
    assert page.evaluate("window.ran") is None
    assert len(browse.complaints) >= 3 and all("Content Security Policy" in text for text in browse.complaints)
    browse.complaints.clear()
    browse.strangers.clear()  # Playwright reports what was stopped too


def test_every_file_of_the_page_is_served_and_none_else(room):
    there = {path.name for path in page_files.FOLDER.iterdir() if path.is_file()}
    built = {"__init__.py", "served.py", "index.html", "package.json", "three.entry.js"}
    assert there - built == {*page_files.ASSETS}


@pytest.mark.faults
@pytest.mark.slow
def test_the_whole_service_from_photos_to_measurements(chromium, open_body, tmp_path):
    """`python -m avatarlab.service.local` as anybody starts it, with its real models; a rendered person's photos."""
    from avatarlab.synthetic.rendered import rendered_person

    person = rendered_person(open_body, 7)
    for view, shot in person.shots.items():
        Image.fromarray(shot.photo.rgb).save(tmp_path / f"{view}.jpg", quality=92)
    with started(tmp_path) as address:
        page = chromium.new_page(viewport={"width": 1000, "height": 800})
        page.goto(address)
        for view in person.shots:
            page.set_input_files(f"#{view}", tmp_path / f"{view}.jpg")
        page.get_by_label("Name").fill("Dora")
        page.get_by_label("Stature").fill(f"{100 * person.stature_m:.1f}")
        page.locator("label", has_text="Tight").click()
        send(page)
        page.locator("#controls").wait_for(timeout=240_000)
        found = [text.split("\t") for text in page.locator("#measures tbody tr").all_inner_texts()]
        values = {name: float(value) for name, value, *_ in found if not value.startswith("withheld")}
        assert len(found) == 16 and values["Stature height"] == round(100 * person.stature_m, 1)
        for name, measure in (("Chest girth", "chest"), ("Hip girth", "hip"), ("Inside leg length", "inside_leg")):
            assert abs(values[name] / person.tapes_cm[measure] - 1) < 0.1
        assert skin(picture(page)).mean() > 0.05
        page.close()


@contextlib.contextmanager
def started(folder):
    """The embedded service on a free port, ended afterwards; yields the address that it prints."""
    words = [sys.executable, "-m", "avatarlab.service.local", "--folder", str(folder / "local"), "--port", "0"]
    process = subprocess.Popen([*words, "--no-browser"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield next(line for line in process.stdout if line.startswith("http://")).strip()
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SLOWER * 15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
