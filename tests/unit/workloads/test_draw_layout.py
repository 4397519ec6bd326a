"""The picture of a layout: which pixel has which colour."""

import zlib

from workloads.scripts import shipped
from workloads.scripts.draw_layout import draw, level, png, read_rectangles

CELL = """magic
tech scmos
timestamp 1
<< metal1 >>
rect 0 0 100 20
<< metal2 >>
rect 40 0 60 50
<< labels >>
rlabel metal1 0 0 10 10 0 a
<< end >>
"""


def pixel(rows: list[bytearray], x: int, y: int) -> tuple[int, ...]:
    return tuple(rows[y][3 * x : 3 * x + 3])


def test_higher_metal_hides_lower_and_the_top_is_up() -> None:
    rows = draw(list(read_rectangles(CELL)))
    assert (len(rows[0]) // 3, len(rows)) == (1200, 600), "100 x 50 of Magic's units"
    assert pixel(rows, 600, 599) == level("metal2")[1]
    assert pixel(rows, 100, 599) == level("metal1")[1]
    assert pixel(rows, 100, 0) not in (level("metal1")[1], level("metal2")[1])


def test_a_picture_holds_every_row_once() -> None:
    rows = draw(list(read_rectangles(shipped("layout/and2.mag"))))
    data = png(rows)
    start = data.index(b"IDAT") + 4
    pixels = zlib.decompress(data[start : data.index(b"IEND") - 8])
    assert pixels == b"".join(b"\0" + bytes(row) for row in rows)


def test_a_layer_that_nobody_knows_is_drawn_below_all_others() -> None:
    assert level("glass")[0] < level("nwell")[0] < level("polysilicon")[0] < level("metal6")[0]
