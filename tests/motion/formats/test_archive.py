"""Folders and archives of motion files: read by name, never written, limited."""

import io
import tarfile
import zipfile

import pytest

from avatarlab.core.errors import InputError
from avatarlab.motion.formats import archive

FILES = {"set/b.amc": b"two", "set/a.ASF": b"one", "set/c.png": b"no"}


def tar(path, files, kind="xz"):
    with tarfile.open(path, f"w:{kind}") as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize(
    "made", [lambda p, f: tar(p / "a.tar.xz", f), lambda p, f: zipped(p / "a.zip", f), folder]
)
def test_every_container_gives_the_same(made, tmp_path):
    assert archive.texts(made(tmp_path, FILES), (".asf", ".amc")) == {"a.ASF": "one", "b.amc": "two"}


def test_names_that_climb_out_and_links_lead_nowhere(tmp_path):
    path = tar(tmp_path / "a.tar", {"../../evil.amc": b"x"}, "")
    with tarfile.open(path, "a") as out:
        link = tarfile.TarInfo("link.amc")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    before = sorted(tmp_path.parent.rglob("*"))
    assert dict(archive.members(path)) == {"../../evil.amc": b"x"}
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "FILE_MB", 1)
    path = tar(tmp_path / "a.tar.xz", {"a.amc": bytes(2**20 + 1)})
    with pytest.raises(InputError, match="a.amc is larger than 1 MB"):
        list(archive.members(path))
    monkeypatch.setattr(archive, "TOTAL_MB", 1)
    path = tar(tmp_path / "b.tar.xz", {"a.amc": bytes(2**19 + 1), "b.amc": bytes(2**19)})
    with pytest.raises(InputError, match="all together than 1 MB"):
        list(archive.members(path))


def test_missing_damaged_and_doubled_ones_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        archive.members(tmp_path / "none.tar.xz")
    whole = tar(tmp_path / "a.tar.xz", {"a.amc": bytes(range(256)) * 4000}).read_bytes()
    (tmp_path / "cut.tar.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut.tar.xz: cannot be read as an archive"):
        list(archive.members(tmp_path / "cut.tar.xz"))
    (tmp_path / "text.tar.xz").write_text("hello")
    with pytest.raises(InputError, match="cannot be read as an archive"):
        list(archive.members(tmp_path / "text.tar.xz"))
    with pytest.raises(InputError, match="two files of the name a.amc"):
        archive.texts(folder(tmp_path / "f", {"x/a.amc": b"", "y/a.amc": b""}))
