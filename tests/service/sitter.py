"""A rendered person as hostile photo files, the maker in this process, and what it makes of them: once per test run.

The front photo is a PNG lying on its side with EXIF that turns it, the side photo a JPEG; both carry a place, a script
and a serial number in their EXIF. Nothing of that may be found in a result.
"""

import tempfile
from functools import cache
from pathlib import Path

from PIL import Image

from avatarlab.body import Body
from avatarlab.body.model import OPEN_BODY
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.kinds import Handlers
from avatarlab.service.messages import Artifacts, Task
from avatarlab.service.settings import ServiceSettings
from avatarlab.synthetic.rendered import rendered_person

SUBJECT = "<script>alert(1)</script>'; DROP TABLE"
SCRIPT, SERIAL = "<script>alert('exif')</script>", "SerialNumber4711"
MAKE, ARTIST, TURN, GPS, BODY_SERIAL = 271, 315, 274, 34853, 42033


@cache
def body():
    """The open body."""
    return Body.load(OPEN_BODY)


@cache
def person():
    """The rendered person."""
    return rendered_person(body(), 7)


def settings(**given):
    """Settings of a worker with the open body, whatever the environment says."""
    return ServiceSettings(_env_file=None, body_file=str(OPEN_BODY), **given)


@cache
def maker():
    """What a child holds, in this process."""
    body()
    return Handlers.load(settings())


def exif(turn=1):
    """EXIF that should not survive."""
    found = Image.Exif()
    found[MAKE], found[ARTIST], found[TURN] = SCRIPT, SCRIPT, turn
    found.get_ifd(GPS)[1], found.get_ifd(GPS)[2] = "N", (52.0, 31.0, 12.0)
    found.get_ifd(34665)[BODY_SERIAL] = SERIAL
    return found


@cache
def photos():
    """View -> file: the front one lies on its side and says so."""
    place = Path(tempfile.mkdtemp(prefix="sitter-"))
    front, side = (Image.fromarray(person().shots[view].photo.rgb) for view in ("front", "side"))
    front.transpose(Image.Transpose.ROTATE_90).save(place / "a.png", exif=exif(6))
    side.save(place / "b.jpg", quality=95, exif=exif())
    return {"front": place / "a.png", "side": place / "b.jpg"}


def task(out, photos, on_failure="fail", **job):
    """A task for the rendered person."""
    facts = {"subject": SUBJECT, "front_key": "photos/a", "clothes": "tight", "definitions": ["ansur", "iso8559"]}
    facts |= {"stature_cm": round(100 * person().stature_m, 1), "sex": person().sex}
    return Task(AvatarJob(**facts | {"on_failure": on_failure} | job), photos, out)


@cache
def made() -> tuple[Artifacts, Path, list]:
    """What was made of front and side, where it lies, and the progress told."""
    out, far = Path(tempfile.mkdtemp(prefix="made-")), []
    return maker().make(task(out, photos()), far.append), out, far


@cache
def made_of_nobody() -> tuple[Artifacts, Path]:
    """A placeholder: the photo shows a wall."""
    out, wall = Path(tempfile.mkdtemp(prefix="nobody-")), Path(tempfile.mkdtemp()) / "wall.png"
    Image.effect_noise((300, 400), 20).convert("RGB").save(wall)
    return maker().make(task(out, {"front": wall}, "placeholder"), lambda _: None), out
