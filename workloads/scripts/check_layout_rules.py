"""Geometric rules of any process on a layout in GDS or OASIS, with KLayout.

`python check_layout_rules.py RULES.json LAYOUT FOLDER` writes to the folder rules.json, what was found, and
rules.lyrdb, which KLayout's own viewer shows. Prints `RULES total N` and at the end `RULES complete`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from klayout import db, rdb

_MOST_PLACES = 10_000
"""Of one rule; all are counted."""


class Layers:
    """The shapes of the top cell and everything in it, merged, by layer and data type."""

    def __init__(self, layout: db.Layout, top: db.Cell) -> None:
        self._layout = layout
        self._top = top
        self._read: dict[tuple[int, int], db.Region] = {}

    def region(self, layer: int, datatype: int) -> db.Region:
        """Empty when the layout has no such layer."""
        if (layer, datatype) not in self._read:
            index = self._layout.find_layer(layer, datatype)
            shapes = db.Region() if index is None else db.Region(self._top.begin_shapes_rec(index))
            self._read[layer, datatype] = shapes.merged()
        return self._read[layer, datatype]


def broken(rule: dict[str, Any], regions: list[db.Region], dbu: float) -> list[db.EdgePair | db.Polygon]:
    """The places where one rule is broken; lengths of a rule are µm, areas µm²."""
    first, other = regions[0], regions[-1]
    distance = round(rule["value"] / dbu)
    found: tuple[db.EdgePairs | db.Region, ...]
    match rule["check"]:
        case "width":
            found = (first.width_check(distance),)
        case "space":
            found = (first.space_check(distance),)
        case "area":
            found = (first.with_area(0, round(rule["value"] / dbu**2), False),)
        case "grid":
            found = (first.grid_check(distance, distance),)
        case "separation":
            found = (first.separation_check(other, distance), first & other)
        case "enclosure":
            found = (first.enclosing_check(other, distance), other - first)
        case "inside":
            found = (first - other,)
        case unknown:
            raise ValueError(f"there is no check {unknown}")
    return [shape for shapes in found for shape in shapes.each()]


def main(rules_file: str, layout_file: str, folder: str) -> None:
    """Check every rule; an unreadable layout or one without a single top cell ends with an error."""
    asked = json.loads(Path(rules_file).read_text(encoding="utf-8"))
    layout = db.Layout()
    layout.read(layout_file)
    top = layout.cell(asked["top"]) if asked["top"] else layout.top_cell()
    if top is None:
        names = ", ".join(cell.name for cell in layout.top_cells())
        raise SystemExit(f"RULES error: there is no cell {asked['top']}; the top cells are: {names}")
    layers = Layers(layout, top)
    report = rdb.ReportDatabase("rules")
    report.top_cell_name = top.name
    cell = report.create_cell(top.name)
    found = []
    for rule in asked["rules"]:
        regions = [layers.region(*layer) for layer in rule["layers"]]
        places = broken(rule, regions, layout.dbu)
        category = report.create_category(rule["name"])
        for place in places[:_MOST_PLACES]:
            report.create_item(cell.rdb_id(), category.rdb_id()).add_value(place.to_dtype(layout.dbu))
        found.append(
            {
                "name": rule["name"],
                "shapes": sum(region.count() for region in regions),
                "count": len(places),
                "places": [_box(place, layout.dbu) for place in places[:1000]],
            }
        )
    Path(folder, "rules.json").write_text(json.dumps(found), encoding="utf-8")
    report.save(str(Path(folder, "rules.lyrdb")))
    sys.stdout.write(f"RULES total {sum(int(one['count']) for one in found)}\nRULES complete\n")


def _box(place: db.EdgePair | db.Polygon, dbu: float) -> list[float]:
    """Left, bottom, right, top in µm."""
    box = place.bbox().to_dtype(dbu)
    return [round(edge, 6) for edge in (box.left, box.bottom, box.right, box.top)]


if __name__ == "__main__":
    main(*sys.argv[1:])
