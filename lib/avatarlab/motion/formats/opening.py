"""One door for every motion file: what it is shows in its ending and its first bytes."""

import zipfile
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.core.files import UNREADABLE
from avatarlab.motion.clip import Clip
from avatarlab.motion.data.recordings import skeleton_of
from avatarlab.motion.formats import aist, asf, bvh, expmap
from avatarlab.motion.formats.amass import is_amass
from avatarlab.motion.formats.recording import Recording

PICKLES = (".pkl", ".pickle", ".p", ".pt", ".pth", ".npy")
KNOWN = ".npz (AMASS, avatarlab, converted AIST++), .bvh, .amc with its .asf, .txt (CMU exponential maps)"


def read(path: str | Path, skeleton: str | Path | None = None, rate: float | None = None) -> Clip | Recording:
    """A ``Clip`` of a file in a body's form, a ``Recording`` of one with a skeleton of its own.

    ``skeleton``: the ASF of an AMC; None looks beside it. ``rate`` Hz: where a file says none (AMC and text are
    120 Hz then, an npz without one is refused). Unknown and broken files raise InputError with what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; motion comes as {KNOWN}.")
    kind = path.suffix.lower()
    if kind in PICKLES or path.open("rb").read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        aist.refuse(path)
    if kind == ".npz":
        return _npz(path, rate)
    if kind == ".bvh":
        return bvh.read(path)
    if kind == ".amc":
        return asf.read(_skeleton(path, skeleton), path, rate or asf.RATE_HZ)
    if kind == ".txt":
        return expmap.read(path, rate or expmap.RATE_HZ)
    raise InputError(
        f"{path}: a file {kind or 'without ending'!r} is none that can be read; motion comes as {KNOWN}."
    )


def _npz(path: Path, rate: float | None) -> Clip:
    if not is_amass(names := _names(path)) and set(names) & set(aist.KEYS):
        return Clip(**aist.read(path))
    return Clip.load(path, rate)


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable npz ({error}).") from None


def _skeleton(path: Path, given: str | Path | None) -> Path:
    found = Path(given) if given else skeleton_of(path, sorted(path.parent.glob("*.asf")))
    if found is None:
        raise InputError(f"{path}: no skeleton of it lies beside it; name its .asf.")
    return found
