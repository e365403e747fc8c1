"""three.bundle.js is what package.json says it is made of, keeps its licence, asks nobody, and can be made again."""

import hashlib
import json
import re
import shutil
import subprocess

import pytest

from avatarlab.service.page import ASSETS, FOLDER

PACKAGE = json.loads((FOLDER / "package.json").read_text())
BUNDLE = FOLDER / "three.bundle.js"
ADDRESS = re.compile(r"(?:https?|wss?)://[^\s\"'`)]+|(?<=[\"'`(])//[\w-]+\.[\w.-]+")
NAMES_ONLY = {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"}
"""Names of XML vocabularies; nobody fetches them."""
OURS = [name for name in ASSETS if name.endswith((".js", ".css", ".svg")) and name != BUNDLE.name] + ["index.html"]


def test_the_bundle_is_the_recorded_one_of_exact_versions():
    data = BUNDLE.read_bytes()
    assert PACKAGE["bundle"] == {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    assert len(data) < 900_000
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in PACKAGE["devDependencies"].values())
    revision = PACKAGE["devDependencies"]["three"].split(".")[1]
    assert re.search(rf"\b\w+=`{revision}`|\b\w+=\"{revision}\"", data.decode())


def test_the_licence_is_kept_in_the_bundle_and_beside_it():
    head = BUNDLE.read_text()[:300]
    assert "@license" in head and "Three.js Authors" in head and "SPDX-License-Identifier: MIT" in head
    assert "Permission is hereby granted" in (FOLDER / "THREE-LICENSE.txt").read_text()


def test_nothing_names_an_outside_address():
    found = {name: {*ADDRESS.findall((FOLDER / name).read_text())} - NAMES_ONLY for name in (*OURS, BUNDLE.name)}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


@pytest.mark.parametrize(
    "text", ["fetch('https://cdn.example.com/three.js')", "@import url(//fonts.example.org/x)"]
)
def test_the_look_for_addresses_fires(text):
    assert ADDRESS.search(text)


def test_nothing_is_inline_and_no_text_is_taken_for_html():
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page)
    scripts = "".join((FOLDER / name).read_text() for name in OURS if name.endswith(".js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", scripts)


def test_the_page_takes_from_the_bundle_only_what_is_in_it():
    expected = re.search(r"import \{([^}]+)\} from \"./three.bundle.js\"", (FOLDER / "viewer.js").read_text())[1]
    given = re.search(r"export\{([^}]+)\};?\s*$", BUNDLE.read_text())[1]
    names = {name.strip() for name in expected.split(",")} - {""}
    assert names == {name.rpartition(" as ")[2] for name in given.split(",")}


@pytest.mark.faults
def test_the_bundle_is_made_again_byte_for_byte(tmp_path):
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    for name in ("package.json", "three.entry.js"):
        shutil.copy(FOLDER / name, tmp_path)
    words = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        pytest.skip(f"npm install failed: {done.stderr.strip()[-200:]}")
    subprocess.run(["npm", "run", "build"], cwd=tmp_path, capture_output=True, timeout=100, check=True)
    assert (tmp_path / BUNDLE.name).read_bytes() == BUNDLE.read_bytes()
