"""``avatar.meshopt.glb``: the same avatar, several times smaller, where the program gltfpack is installed.

It needs a viewer with a meshopt decoder (three.js with ``setMeshoptDecoder``, Babylon); the plain GLB stays the master.
"""

import os
import shutil
import subprocess
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.core.files import whole

MISSING = (
    "gltfpack: not found, so no meshopt-compressed GLB can be made; install it (Debian: gltfpack, npm: gltfpack) "
    "or set GLTFPACK_PATH to the program."
)
_KEEP = ("-kn", "-km", "-ke", "-kv")
"""Keep node names, materials, extras (names of the facial actions) and texture coordinates."""


def find_gltfpack() -> Path | None:
    """Return the program: environment variable GLTFPACK_PATH, then ``gltfpack`` on PATH, else None."""
    named = os.environ.get("GLTFPACK_PATH")
    if named:
        program = shutil.which(named)
        if program is None:
            raise InputError(f"GLTFPACK_PATH: {named!r} is not a program that can be run; correct or unset it.")
        return Path(program)
    program = shutil.which("gltfpack")
    return Path(program) if program else None


def compress(source: str | Path, target: str | Path, timeout_s: float = 60.0) -> int:
    """Write ``source`` (GLB) meshopt-compressed as ``target`` and return the bytes; InputError without gltfpack."""
    program = find_gltfpack()
    if program is None:
        raise InputError(MISSING)
    with whole(target) as part:
        run = _run([program, "-i", source, "-o", part, *_flags(program, timeout_s)], timeout_s)
        if run.returncode != 0 or not part.stat().st_size:
            reason = (run.stderr or run.stdout).strip().splitlines() or ["it said nothing"]
            raise InputError(f"{source}: gltfpack could not compress it ({reason[-1]}).")
    return Path(target).stat().st_size


def _flags(program: Path, timeout_s: float) -> list[str]:
    """Compression flags this version knows: -vpf (positions as floats, no extra node) came after Debian's 0.18."""
    described = _run([program, "-h"], timeout_s)
    floats = ["-vpf"] if "-vpf" in described.stdout + described.stderr else ["-vp", "16"]
    return ["-cc", *floats, *_KEEP]


def _run(words: list, timeout_s: float) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(
            [str(w) for w in words], capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"gltfpack: no answer within {timeout_s:g} s; try again or do without.") from None
    except OSError as error:
        raise InputError(f"gltfpack: {words[0]} cannot be run ({error}).") from None
