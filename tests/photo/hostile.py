"""Files that no photographer made: bombs, stumps and other things with a picture's name."""

import base64
import io
import struct
import zlib

import numpy as np
from PIL import Image

COLOURS = np.array([[(220, 40, 40), (40, 200, 60)], [(40, 60, 220), (230, 220, 60)]], np.uint8)

HEIC_TURNED = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRp"
    "bG9jAAAAAERAAAIAAQAAAAABxQABAAAAAAAAAEQAAgAAAAACCQABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABo"
    "dmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA4GlwcnAAAADAaXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA"
    "/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoBAgYWW6kkprm4CGgwIAAAMA"
    "MgAAAwACEGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAACAAAAAYAAAABBwaXhpAAAAAAMICAgAAAAJ"
    "aXJvdAMAAAAYaXBtYQAAAAAAAAABAAEFgQIDBIUAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAHBtZGF0AAAAQCgBrxmA93yFN//1"
    "Rh/2ZK/47Bk+PQb/7M1r3w+/0013ZLiq3jwZd/Gq39e7ewM1PwAvvw19ixfxZc2RLxKnPSAAAAAGRXhpZgAATU0AKgAAAAgAAQESAAMA"
    "AAABAAYAAAAAAAA="
)
"""COLOURS as four fields, 128 x 96, to be turned 90 degrees clockwise; made for this test with libheif and x265."""


def quarters(width=128, height=96):
    """Four fields of COLOURS, uint8 (height, width, 3)."""
    return np.kron(COLOURS, np.ones((height // 2, width // 2, 1), np.uint8))


def encoded(rgb=None, kind="JPEG", **options):
    """A picture's bytes."""
    out = io.BytesIO()
    image = rgb if isinstance(rgb, Image.Image) else Image.fromarray(quarters() if rgb is None else rgb)
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name, data):
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(width, height):
    """A few kilobytes that claim width x height pixels."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * 64)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb(megabytes=80):
    """A small PNG whose comment unpacks to many megabytes."""
    good = encoded(kind="PNG")
    packed = zlib.compress(bytes(megabytes * 2**20), 9)
    return good[:33] + chunk(b"zTXt", b"Comment\0\0" + packed) + good[33:]
