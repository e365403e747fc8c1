"""Lines of the log: one per event, ``event=job.done job=<id> seconds=4.2``; ids and stages, no names, keys or secrets."""

import json
import logging
import sys
import time

LOG = logging.getLogger("avatarlab.service")
QUIET_S = 10.0
"""How often the same trouble of a server that is asked ten times a second is worth a line (s)."""
_LAST: dict[tuple[str, str], tuple[float, int]] = {}


def line(event: str, **fields) -> str:
    """One line: numbers and plain words as they are, all else as JSON, so that nothing can forge a second one."""
    pairs = {"event": event, **{name: value for name, value in fields.items() if value is not None}}
    return " ".join(f"{name}={_shown(value)}" for name, value in pairs.items())


def _shown(value) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    plain = text and all(char.isalnum() or char in "-_.:/" for char in text) and text.isascii()
    return text if plain else json.dumps(text[:500])


def note(event: str, **fields) -> None:
    """Log what happened."""
    LOG.info(line(event, **fields))


def warn(event: str, **fields) -> None:
    """Log what somebody may have to look at."""
    LOG.warning(line(event, **fields))


def warn_seldom(event: str, kind: str, **fields) -> None:
    """``warn``, but at most one line of an event and kind in ``QUIET_S``; ``more`` counts those left out before it."""
    now = time.monotonic()
    last, more = _LAST.get((event, kind), (-QUIET_S, 0))
    if now - last < QUIET_S:
        _LAST[event, kind] = last, more + 1
        return
    _LAST[event, kind] = now, 0
    warn(event, kind=kind, **fields, more=more or None)


def set_up() -> None:
    """Lines of the service to stderr with the time in UTC, warnings of others too."""
    handler = logging.StreamHandler(sys.stderr)
    form = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.gmtime
    handler.setFormatter(form)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    LOG.setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings of retries name keys of photos
