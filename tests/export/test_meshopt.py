import os
import shutil
from pathlib import Path

import pytest
from tube import person

from avatarlab.core.errors import InputError
from avatarlab.export import compress, find_gltfpack, whole_body, write_glb


@pytest.fixture
def glb(tube, tmp_path) -> Path:
    write_glb(tmp_path / "a.glb", tube, person(), lod=whole_body(tube))
    return tmp_path / "a.glb"


def program(folder: Path, script: str) -> Path:
    """A stand-in for gltfpack."""
    path = folder / "gltfpack"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_absence_is_one_clear_sentence(glb, monkeypatch):
    monkeypatch.delenv("GLTFPACK_PATH", raising=False)
    monkeypatch.setenv("PATH", "")
    assert find_gltfpack() is None
    with pytest.raises(InputError, match="gltfpack: not found.*GLTFPACK_PATH"):
        compress(glb, glb.with_name("b.glb"))
    assert [p.name for p in glb.parent.iterdir()] == ["a.glb"]


def test_wrong_variable_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GLTFPACK_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="GLTFPACK_PATH: .*nowhere.* is not a program"):
        find_gltfpack()


def test_found_on_path(monkeypatch, tmp_path):
    monkeypatch.delenv("GLTFPACK_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_gltfpack() is None
    assert program(tmp_path, "") == find_gltfpack()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'Error: no such mesh' >&2; exit 3",
            r"a.glb: gltfpack could not compress it \(Error: no such mesh\)",
        ),
        ("exit 0", r"could not compress it \(it said nothing\)"),
        ("sleep 5", "no answer within 0.3 s"),
    ],
)
def test_failures_leave_nothing(glb, monkeypatch, script, message):
    monkeypatch.setenv("GLTFPACK_PATH", str(program(glb.parent, script)))
    with pytest.raises(InputError, match=message):
        compress(glb, glb.with_name("b.glb"), timeout_s=0.3)
    assert sorted(p.name for p in glb.parent.iterdir()) == ["a.glb", "gltfpack"]


@pytest.mark.parametrize(("help_text", "flag"), [("-vpf: use floats", "-vpf"), ("-vp N: bits", "-vp 16")])
def test_flags_follow_the_version(glb, monkeypatch, help_text, flag):
    script = f'if [ "$1" = -h ]; then echo "{help_text}"; exit 1; fi; echo "$@" > "$4"'
    monkeypatch.setenv("GLTFPACK_PATH", str(program(glb.parent, script)))
    compress(glb, glb.with_name("b.glb"))
    assert glb.with_name("b.glb").read_text().strip().endswith(f"-cc {flag} -kn -km -ke -kv")


def test_real_gltfpack_makes_it_smaller(glb, monkeypatch, npm):
    monkeypatch.setenv("GLTFPACK_PATH", str(npm / ".bin" / "gltfpack"))
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], str(Path(shutil.which("node")).parent)]))
    assert 1000 < compress(glb, glb.with_name("b.glb")) < glb.stat().st_size
