"""A pickle read as data: a stack machine that imports nothing and calls nothing.

Python's own unpickler is a machine for calling what the file names. This one has no such step: where a pickle asks
for a class it gets an inert ``Global`` (two strings), where it asks for a call it gets a ``InertObject`` that records maker,
arguments and state. What they mean is decided afterwards, by the reader of that kind of file, from raw bytes. Names
that the reader does not know are refused at once. So the safety does not rest on an allow-list of harmless callables.

Hostile files can still waste resources; hence limits on file size and on the number of instructions, no buffer larger
than the file itself, and dict keys that are text or small numbers only (hashing a tuple nested a million deep would
exhaust the C stack, and chosen large numbers share one hash); sets are read as lists. Persistent ids, extension codes
and out-of-band buffers have no use here.
Source of the instruction set: the table in CPython's pickletools, protocols 0 to 5.
"""

import codecs
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatarlab.core.errors import InputError

LIMIT_MB, LIMIT_INSTRUCTIONS = 2048, 2_000_000
SMALL = 2**61 - 1
DAMAGED = (IndexError, KeyError, TypeError, ValueError, OverflowError, MemoryError, struct.error)


@dataclass(frozen=True)
class Global:
    """What a pickle called a class or function: two strings."""

    module: str
    name: str

    def __str__(self):
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False, slots=True)
class InertObject:
    """What a pickle wanted made: by whom, from which arguments, with which state and items. Nothing was made."""

    maker: Global
    args: tuple
    state: Any = None
    items: dict = field(default_factory=dict)


def read(path: str | Path, known: Callable[[str, str], bool]) -> Any:
    """Return the content of the pickle at ``path`` as plain values, ``Global`` and ``InertObject``.

    A class for which ``known(module, name)`` is false, or a damaged file, raises InputError; nothing has run then.
    Strings of Python 2 come as bytes.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {'is a directory, not a file' if path.is_dir() else 'no such file'}.")
    if not 0 < path.stat().st_size <= LIMIT_MB * 2**20:
        raise InputError(f"{path}: is empty or larger than {LIMIT_MB} MB, expected a pickle.")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Machine(data, known).run()
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except DAMAGED as error:
            raise InputError(f"{path}: not a whole pickle ({type(error).__name__}).") from None


class _Machine:
    def __init__(self, data: mmap.mmap, known: Callable[[str, str], bool]):
        self.data, self.at, self.known = data, 0, known
        self.stack: list = []
        self.below: list[list] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(LIMIT_INSTRUCTIONS):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            if code in _VALUES:
                value = _VALUES[code](self)
                self.stack.append(value)
            elif code in _STEPS:
                _STEPS[code](self)
            else:
                raise InputError(
                    f"uses pickle instruction {code!r} at byte {self.at - 1}, which no model file needs."
                )
        raise InputError(f"more than {LIMIT_INSTRUCTIONS} pickle instructions, which no model file needs.")

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        if not 0 <= count <= len(self.data) - self.at:
            raise ValueError("file ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def sized(self, form: str) -> bytes:
        """Bytes after their length."""
        return self.take(self.number(form))

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        return self.take(end + 1 - self.at)[:-1] if end >= 0 else self.take(-1)

    def quoted(self) -> bytes:
        """A Python 2 string literal."""
        text = self.line().strip()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in b"\"'":
            raise ValueError("string without quotes")
        return codecs.escape_decode(text[1:-1])[0]

    def whole(self) -> int | bool:
        """A decimal integer; 00 and 01 are the booleans of protocol 0."""
        text = self.line()
        return text == b"01" if text in (b"00", b"01") else int(text.rstrip(b"L"))

    def named(self, module: Any, name: Any) -> Global:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError("class name is no string")
        if not self.known(module, name):
            raise InputError(f"asks for {f'{module}.{name}'[:80]!r}, which no model file needs; nothing was run.")
        return Global(module, name)

    def listed(self) -> Global:
        return self.named(self.line().decode(), self.line().decode())

    def marked(self) -> list:
        """Everything above the last mark, which goes."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def top(self, count: int) -> tuple:
        """Take the top ``count`` values, lowest first."""
        if count > len(self.stack):
            raise IndexError
        values = self.stack[-count:]
        del self.stack[-count:]
        return tuple(values)

    def make(self, maker: Any, args: Any) -> None:
        if not (isinstance(maker, Global) and isinstance(args, tuple)):
            raise TypeError("a call of something that is no class")
        self.stack.append(InertObject(maker, args))

    def make_marked(self) -> None:
        maker, *args = self.marked()
        self.make(maker, tuple(args))

    def make_listed(self) -> None:
        maker = self.listed()
        self.make(maker, tuple(self.marked()))

    def build(self) -> None:
        (state,) = self.top(1)
        if not isinstance(self.stack[-1], InertObject):
            raise TypeError("state for something that was not made")
        self.stack[-1].state = state

    def append(self, values: list) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("items for something that is no list")
        self.stack[-1].extend(values)

    def set_items(self, values: list) -> None:
        target = self.stack[-1].items if isinstance(self.stack[-1], InertObject) else self.stack[-1]
        if type(target) is not dict:
            raise TypeError("items for something that is no dict")
        target.update(_pairs(values))

    def remember(self, key: int) -> None:
        self.memo[key] = self.stack[-1]


def _pairs(values: list) -> dict:
    keys = values[::2]
    if not all(type(key) in (str, bytes) or (type(key) is int and abs(key) < SMALL) for key in keys):
        raise TypeError("dict key is neither text nor a small number")
    return dict(zip(keys, values[1::2], strict=True))


_VALUES: dict[bytes, Callable[[_Machine], Any]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": _Machine.whole,
    b"L": _Machine.whole,
    b"J": lambda m: m.number("<i"),
    b"K": lambda m: m.number("<B"),
    b"M": lambda m: m.number("<H"),
    b"\x8a": lambda m: int.from_bytes(m.sized("<B"), "little", signed=True),
    b"\x8b": lambda m: int.from_bytes(m.sized("<i"), "little", signed=True),
    b"F": lambda m: float(m.line()),
    b"G": lambda m: m.number(">d"),
    b"S": _Machine.quoted,
    b"T": lambda m: m.sized("<i"),
    b"U": lambda m: m.sized("<B"),
    b"V": lambda m: m.line().decode("raw-unicode-escape"),
    b"X": lambda m: m.sized("<I").decode("utf-8", "surrogatepass"),
    b"\x8c": lambda m: m.sized("<B").decode("utf-8", "surrogatepass"),
    b"\x8d": lambda m: m.sized("<Q").decode("utf-8", "surrogatepass"),
    b"B": lambda m: m.sized("<I"),
    b"C": lambda m: m.sized("<B"),
    b"\x8e": lambda m: m.sized("<Q"),
    b"\x96": lambda m: m.sized("<Q"),
    b"c": _Machine.listed,
    b"\x93": lambda m: m.named(*m.top(2)),
    b")": lambda m: (),
    b"]": lambda m: [],
    b"}": lambda m: {},
    b"\x8f": lambda m: [],
    b"t": lambda m: tuple(m.marked()),
    b"\x85": lambda m: m.top(1),
    b"\x86": lambda m: m.top(2),
    b"\x87": lambda m: m.top(3),
    b"l": _Machine.marked,
    b"\x91": _Machine.marked,
    b"d": lambda m: _pairs(m.marked()),
    b"2": lambda m: m.stack[-1],
    b"g": lambda m: m.memo[int(m.line())],
    b"h": lambda m: m.memo[m.number("<B")],
    b"j": lambda m: m.memo[m.number("<I")],
}
"""Instructions that push one value."""

_STEPS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.take(1),
    b"\x95": lambda m: m.take(8),
    b"(": _Machine.mark,
    b"0": lambda m: m.top(1),
    b"1": _Machine.marked,
    b"a": lambda m: m.append(list(m.top(1))),
    b"e": lambda m: m.append(m.marked()),
    b"\x90": lambda m: m.append(m.marked()),
    b"s": lambda m: m.set_items(list(m.top(2))),
    b"u": lambda m: m.set_items(m.marked()),
    b"p": lambda m: m.remember(int(m.line())),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"R": lambda m: m.make(*m.top(2)),
    b"\x81": lambda m: m.make(*m.top(2)),
    b"\x92": lambda m: m.make(*m.top(3)[:2]),
    b"i": _Machine.make_listed,
    b"o": _Machine.make_marked,
    b"b": _Machine.build,
}
"""Instructions that change what is there."""
