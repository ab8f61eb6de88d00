"""Makes images that spoil a data set: ones that cannot be decoded, and a near duplicate."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from PIL import Image


def make(folder: Path, photo: Path) -> None:
    """Write the images; some are made from a photograph."""
    folder.mkdir()
    picture = Image.open(photo)
    picture.save(folder / "near.jpg", quality=80)  # a near duplicate of photo
    data = photo.read_bytes()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    Image.new("RGB", (48, 40), (250, 250, 250)).save(folder / "blank.jpg")
    (folder / "bomb.png").write_bytes(_bomb(60_000, 50_000))
    (folder / "text.jpg").write_text("no image\n")
    (folder / "empty.jpg").touch()


def _bomb(width: int, height: int) -> bytes:
    """A valid PNG of one colour with one bit per pixel: 365 kB here, 9 GB when decoded."""
    deflate, row = zlib.compressobj(9), bytes(1 + width // 8)
    pixels = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
