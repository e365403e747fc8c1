"""Photos that no customer takes: refused once with their reason, or made harmless; never a crash, never a leak."""

import asyncio
import io
import time

import hostile
import numpy as np
import pytest
import sitter
from patience import SLOWER
from PIL import Image

from avatarlab.core.errors import InputError
from avatarlab.service.child import Child
from avatarlab.service.kinds import Handlers


def jpeg(**options):
    """The sitter's front photo as JPEG bytes."""
    out = io.BytesIO()
    Image.fromarray(sitter.person().shots["front"].photo.rgb).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def flipped(data, seed, count=20):
    """The same with ``count`` bits flipped behind its head."""
    chance, wrong = np.random.default_rng(seed), bytearray(data)
    for place in chance.integers(700, len(data), count):
        wrong[place] ^= 1 << int(chance.integers(8))
    return bytes(wrong)


def truncated():
    return jpeg()[:-3000]


HOSTILE = {
    "corrupted": (lambda: b"\xff\xd8\xff" + b"garbage" * 500, "this JPEG is damaged"),
    "truncated": (truncated, "damaged or cut short"),
    "empty": (lambda: b"", "the file is empty"),
    "a bomb of 10,000 x 10,000": (lambda: hostile.png_bomb(10_000, 10_000), "more than 40 megapixels"),
    "a bomb of text": (hostile.text_bomb, "picture"),
    "svg": (lambda: b"<svg onload='alert(1)'/>", "SVG drawing"),
    "html": (lambda: b"<!doctype html><script>alert(1)</script>", "web page"),
    "too small": (lambda: hostile.encoded(np.zeros((50, 50, 3), np.uint8)), "too few"),
    "heic without a person": (lambda: hostile.HEIC_TURNED, "no person was found"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_sentence(name, tmp_path):
    data, why = HOSTILE[name]
    path, out = tmp_path / "upload", tmp_path / "out"
    path.write_bytes(data())
    out.mkdir()
    with pytest.raises(InputError) as caught:
        sitter.maker().make(sitter.task(out, {"front": path}), lambda _: None)
    text = str(caught.value)
    assert text.startswith("front photo: ") and why in text and "\n" not in text and len(text) < 300
    assert str(tmp_path) not in text and "upload" not in text


def test_no_word_of_exif_gets_into_a_result():
    result, out, _ = sitter.made()
    assert sitter.SCRIPT.encode() in sitter.photos()["side"].read_bytes(), "the photo does carry it"
    secrets = [sitter.SCRIPT, sitter.SERIAL, "Exif", "eXIf"]
    for name in result.files:
        data = (out / name).read_bytes()
        assert not [word for word in secrets if word.encode() in data], name
    for view in ("front", "side"):
        assert not Image.open(out / f"mask_{view}.png").info


@pytest.mark.faults
def test_a_photo_lying_on_its_side_gives_the_same_as_upright(tmp_path):
    upright = tmp_path / "upright.png"
    Image.fromarray(sitter.person().shots["front"].photo.rgb).save(upright)
    results = []
    for number, path in enumerate((upright, sitter.photos()["front"])):
        out = tmp_path / str(number)
        out.mkdir()
        sitter.maker().make(sitter.task(out, {"front": path}), lambda _: None)
        results.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert len(results[0]) == 8 and results[0] == results[1]


@pytest.mark.faults
def test_flipped_bits_end_in_an_avatar_or_a_sentence(tmp_path):
    ends = []
    for seed in range(6):
        path, out = tmp_path / f"{seed}.jpg", tmp_path / str(seed)
        path.write_bytes(flipped(jpeg(), seed))
        out.mkdir()
        try:
            ends.append(sitter.maker().make(sitter.task(out, {"front": path}), lambda _: None).placeholder)
        except InputError as error:
            ends.append(str(error))
    assert len(ends) == 6 and all(end is False or end.startswith("front photo: ") for end in ends), ends


@pytest.mark.faults
def test_bombs_cost_the_child_neither_memory_nor_life(tmp_path):
    async def offered():
        child = Child(Handlers.load, sitter.settings(memory_limit_mb=2500))
        try:
            await child.start()
            pid, before = child.pid, child._life.resident_mb()
            for number, data in enumerate((hostile.png_bomb(10_000, 10_000), hostile.png_bomb(30_000, 30_000))):
                path = tmp_path / f"{number}.png"
                path.write_bytes(data)
                begin = time.monotonic()
                with pytest.raises(InputError, match="megapixels"):
                    await child.make(sitter.task(tmp_path, {"front": path}), lambda _: None)
                assert time.monotonic() - begin < SLOWER * 1
            assert child.pid == pid and child._life.resident_mb() < before + 50
        finally:
            await child.close()

    asyncio.run(offered())
