"""The avatar before other people's eyes: the Khronos validator and three.js in a browser."""

import functools
import http.server
import json
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from dance import clip
from PIL import Image
from tube import Tube, elbow_bent, person

from avatarlab.body.layout import ARKIT_NAMES, JOINT_NAMES
from avatarlab.export import compress, reduce_body, whole_body, write_glb
from avatarlab.export.animated_glb import write_animated_glb
from avatarlab.export.glb_reader import Glb

HERE = Path(__file__).parent
GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


def issues(npm: Path, path: Path) -> dict:
    """What the Khronos validator finds."""
    words = ["node", str(HERE / "validate.cjs"), str(npm), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, check=True)
    return json.loads(done.stdout)


def spotless(found: dict) -> bool:
    return not any(found[f"num{kind}"] for kind in ("Errors", "Warnings", "Infos", "Hints"))


@pytest.mark.parametrize("pose", ["apose", "tpose", "photo"])
def test_validator_finds_nothing_on_the_tube(npm, tube, tmp_path, pose):
    write_glb(
        tmp_path / "a.glb", tube, person(pose=elbow_bent(50)), {"waist": 1}, pose, lod=reduce_body(tube, 700)
    )
    found = issues(npm, tmp_path / "a.glb")
    assert spotless(found), found["messages"]


def test_validator_finds_nothing_without_texture_coordinates(npm, tmp_path):
    bare = Tube(with_uv=False)
    write_glb(tmp_path / "a.glb", bare, person(), lod=whole_body(bare))
    found = issues(npm, tmp_path / "a.glb")
    assert spotless(found), found["messages"]


def test_validator_does_see_faults(npm, tube, tmp_path):
    """A guard of the guard: a file with one weight spoiled must not pass."""
    write_glb(tmp_path / "a.glb", tube, person(), lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    accessor = glb.gltf.accessors[glb.mesh.primitives[0].attributes.WEIGHTS_0]
    data = bytearray((tmp_path / "a.glb").read_bytes())
    start = len(data) - len(glb.blob) + glb.gltf.bufferViews[accessor.bufferView].byteOffset
    data[start : start + 4] = np.float32(7).tobytes()
    (tmp_path / "a.glb").write_bytes(data)
    assert issues(npm, tmp_path / "a.glb")["numErrors"] > 0


def test_validator_finds_nothing_on_the_avatar(npm, open_body, open_lod, woman, tmp_path):
    write_glb(tmp_path / "a.glb", open_body, woman, {"waist": 81.0}, lod=open_lod)
    found = issues(npm, tmp_path / "a.glb")
    assert spotless(found), found["messages"]


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(npm, open_body, open_lod, woman, tmp_path_factory):
    """Address of a local page with three.js and the avatar, plain and compressed."""
    root = tmp_path_factory.mktemp("site")
    (root / "viewer.html").write_text((HERE / "viewer.html").read_text())
    (root / "three").symlink_to(npm / "three")
    write_glb(root / "avatar.glb", open_body, woman, {"waist": 81.0}, lod=open_lod)
    smile = np.linspace(0, 0.5, 61)[:, None] * np.eye(52)[ARKIT_NAMES.index("mouthSmileLeft")]
    moves = clip(trans=np.linspace([0, 0, 1], [0, -1, 1.1], 61), expression=smile, left_elbow=(0, -1.5, 0))
    write_animated_glb(root / "animated.glb", open_body, woman, moves, lod=open_lod)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLTFPACK_PATH", str(npm / ".bin" / "gltfpack"))
        compress(root / "avatar.glb", root / "avatar.meshopt.glb")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/viewer.html", root
    server.shutdown()


@pytest.fixture
def page(site, chromium_path):
    """A browser page on which any error in the console fails the test."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium_path, args=GL)
        page, errors = browser.new_page(viewport={"width": 600, "height": 800}), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        yield page
        browser.close()
    assert not errors, errors


def opened(page, site, file: str = "avatar.glb"):
    address, _ = site
    page.goto(f"{address}?file={file}")
    page.wait_for_function("window.ready", timeout=200_000)
    page.evaluate("avatar.look([0.6, 1.2, 3.6], [0, 0.83, 0])")
    return page


def points(page) -> np.ndarray:
    return np.concatenate([np.array(part) for part in page.evaluate("avatar.points()")])


def picture(page, path: Path) -> np.ndarray:
    page.screenshot(path=path)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.browser
def test_three_reads_what_was_written(page, site):
    facts = opened(page, site).evaluate("avatar.facts()")
    assert facts["joints"] == list(JOINT_NAMES) and facts["morphs"] == list(ARKIT_NAMES)
    assert facts["triangles"] < 10_000 and facts["materials"] == ["skin", "eyes_tongue"]
    assert facts["extras"]["avatarlab"]["measurements"] == {"waist": 81.0}


@pytest.mark.browser
def test_three_moves_jaw_and_elbow_as_computed_here(page, site, tmp_path):
    glb = Glb(site[1] / "avatar.glb")
    opened(page, site)
    assert points(page) == pytest.approx(glb.posed(), abs=1e-5)
    page.evaluate("avatar.morph('jawOpen', 1); avatar.turn('left_elbow', [0, 1, 0], -1.2)")
    expected = glb.posed({"jawOpen": 1}, {"left_elbow": np.array([0, -1.2, 0])})
    assert points(page) == pytest.approx(expected, abs=1e-5)
    moved = np.linalg.norm(expected - glb.posed(), axis=1)
    assert 0.15 < moved.max() < 0.6 and np.median(moved) < 1e-5


@pytest.mark.browser
def test_picture_shows_a_person_and_changes_where_it_should(page, site, tmp_path):
    opened(page, site)
    before = picture(page, tmp_path / "before.png")
    body = np.abs(before - before[0, 0]).max(axis=2) > 12
    rows = np.flatnonzero(body.any(axis=1))
    assert 0.08 < body.mean() < 0.35 and np.ptp(rows) > 450, "the body fills the picture from head to foot"
    assert before[body].std() > 15, "shaded, not flat"
    page.evaluate("avatar.morph('jawOpen', 1); avatar.turn('left_elbow', [0, 1, 0], -1.2)")
    page.evaluate("avatar.look([0.6, 1.2, 3.6], [0, 0.83, 0])")
    changed = np.abs(picture(page, tmp_path / "after.png") - before).max(axis=2) > 12
    columns = np.flatnonzero(changed[250:].any(axis=0))
    assert changed.any() and columns.min() > 300, (
        "below the face only the left arm, right in the picture, has moved"
    )
    face = changed[: rows.min() + 90]
    assert 10 < face.sum() < 2000, "the mouth has opened"


@pytest.mark.browser
def test_compressed_avatar_shows_the_same_body(page, site):
    facts = opened(page, site, "avatar.meshopt.glb").evaluate("avatar.facts()")
    assert set(facts["joints"]) == set(JOINT_NAMES) and facts["morphs"] == list(ARKIT_NAMES)
    shown, truth = points(page), Glb(site[1] / "avatar.glb").posed()
    assert shown.min(axis=0) == pytest.approx(truth.min(axis=0), abs=2e-3)
    assert shown.max(axis=0) == pytest.approx(truth.max(axis=0), abs=2e-3)


@pytest.mark.browser
def test_three_plays_the_animation(page, site):
    glb = Glb(site[1] / "animated.glb")
    opened(page, site, "animated.glb")
    assert page.evaluate("avatar.play(0.5)") == pytest.approx(1)
    assert points(page) == pytest.approx(glb.posed(frame=30), abs=1e-5)
    assert np.linalg.norm(glb.posed(frame=30) - glb.posed(frame=0), axis=1).max() > 0.5
