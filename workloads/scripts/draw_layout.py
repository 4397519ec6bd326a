"""A picture of a flat cell of Magic, without a library: `python3 draw_layout.py CELL.mag PICTURE.png`."""

import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

Rectangle = tuple[int, int, int, int]
"""Left, bottom, right, top."""

_SIDE = 1200
"""Pixels of the longer side."""
_BACKGROUND = bytes((14, 20, 30))
_COLOURS = (
    (r"pwell", (24, 30, 42)),
    (r"nwell", (36, 42, 62)),
    (r"n?diff.*", (62, 142, 80)),
    (r"pdiff.*", (176, 142, 72)),
    (r".*transistor|polysilicon", (206, 72, 72)),
    (r"metal1|obsm1", (70, 118, 214)),
    (r"(nd|pd|poly|psubstratep|nsubstraten)contact", (160, 186, 236)),
    (r"metal2|m2contact|obsm2", (150, 92, 214)),
    (r"metal3|m3contact|obsm3", (64, 186, 196)),
    (r"metal4|m4contact|obsm4", (222, 152, 64)),
    (r"metal5|m5contact|obsm5", (206, 110, 178)),
    (r"metal6|m6contact|obsm6", (196, 200, 96)),
)
"""By layer, the lowest first: what is above hides what is below."""
_ELSE = (110, 118, 130)
_MARKS = ("checkpaint", "error_p", "error_s")


def read_rectangles(text: str) -> Iterator[tuple[str, Rectangle]]:
    """Each layer's rectangles; what Magic marks for itself is left out."""
    layer = ""
    for line in text.splitlines():
        match line.split():
            case ["<<", name, ">>"]:
                layer = name
            case ["rect", left, bottom, right, top] if layer not in _MARKS:
                yield layer, (int(left), int(bottom), int(right), int(top))


def level(layer: str) -> tuple[int, tuple[int, int, int]]:
    """How high a layer lies, and its colour."""
    for height, (pattern, colour) in enumerate(_COLOURS):
        if re.fullmatch(pattern, layer):
            return height, colour
    return -1, _ELSE


def draw(shapes: list[tuple[str, Rectangle]]) -> list[bytearray]:
    """Rows of pixels from the top, three bytes each; of nothing, one pixel."""
    left, bottom = min(one[0] for _, one in shapes), min(one[1] for _, one in shapes)
    right, top = max(one[2] for _, one in shapes), max(one[3] for _, one in shapes)
    scale = _SIDE / max(right - left, top - bottom, 1)
    width, height = (max(1, round(length * scale)) for length in (right - left, top - bottom))
    rows = [bytearray(_BACKGROUND * width) for _ in range(height)]
    for layer, (x1, y1, x2, y2) in sorted(shapes, key=lambda shape: level(shape[0])[0]):
        first, last = round((x1 - left) * scale), round((x2 - left) * scale)
        count = max(1, last - first)
        line = bytes(level(layer)[1]) * count
        highest = round((top - y2) * scale)
        for row in rows[highest : max(round((top - y1) * scale), highest + 1)]:
            row[3 * first : 3 * (first + count)] = line[: len(row) - 3 * first]
    return rows


def png(rows: list[bytearray]) -> bytes:
    """As the PNG specification has it: 8 bits for each of red, green and blue, no filter."""
    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def main(cell: str, picture: str) -> None:
    """Draw one cell; an empty one has no picture."""
    shapes = list(read_rectangles(Path(cell).read_text(encoding="utf-8", errors="replace")))
    if shapes:
        Path(picture).write_bytes(png(draw(shapes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
