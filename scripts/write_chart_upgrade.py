"""Writes what `helm upgrade` from the released chart changes in a cluster, for whoever plans it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import helm_python as helm

from scripts.render_chart import EXAMPLES, RELEASED, Thing, Values, named, render, values_of
from scripts.write_chart_schema import CHART
from scripts.write_docs import ROOT

SUMMARY = ROOT / "helm" / "UPGRADE.md"
NEW_VALUES = {"backup"}
"""What the released chart does not know: a site gives them after the upgrade."""

_EVERY_TIME = re.compile(r"(helm\.sh/chart|checksum/settings)$")
"""Changed with every version."""
_DEPTH = 3
"""A field below that is not named."""


def known_to_released(values: Values) -> Values:
    """What of a site's values the released chart takes."""
    return {name: value for name, value in values.items() if name not in NEW_VALUES}


def written() -> str:
    """The file's text."""
    lines = [
        f"# From chart {_version(RELEASED)} to {_version(CHART)}",
        "",
        "What `helm upgrade` changes in the [examples](examples); `make docs` writes it, a test compares.",
        "",
        "| object | what changes | pods |",
        "| --- | --- | --- |",
    ]
    for (kind, name, pods), fields in sorted(_changes().items()):
        lines.append(f"| {kind} `{name}` | {', '.join(sorted(fields)) or 'labels'} | {pods} |")
    return "\n".join(lines) + "\n"


def _version(path: Path) -> str:
    with helm.Chart.load(str(path)) as chart:
        return str(chart.version)


def _changes() -> dict[tuple[str, str, str], set[str]]:
    """By kind, name and pods of an object: fields that change in any example; or that it comes or goes."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for path in EXAMPLES:
        values = values_of(path)
        before = named(render(known_to_released(values), chart=RELEASED))
        after = named(render(values))
        for kind, name in before.keys() | after.keys():
            old, new = before.get((kind, name)), after.get((kind, name))
            pods = _pods(new or old or {})
            fields = found[kind, re.sub(r"-migrate-\w+$", "-migrate-...", name), pods]
            if old is None or new is None:
                fields.add("goes" if old else "comes")
                continue
            was, now = dict(_leaves(old)), dict(_leaves(new))
            changed = {field for field in was.keys() | now.keys() if was.get(field) != now.get(field)}
            fields |= {_short(field) for field in changed if not _EVERY_TIME.search(field)}
    return {key: fields for key, fields in found.items() if fields or key[2]}


def _pods(thing: Thing) -> str:
    """What becomes of them; "" of an object that has none."""
    match thing["kind"]:
        case "StatefulSet" if thing["spec"].get("updateStrategy") == {"type": "OnDelete"}:
            return "stay as they are until you delete them"
        case "Deployment" | "StatefulSet":
            return "replaced"
        case "Job":
            return "one, once"
        case _:
            return ""


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Each with its way; containers by their names, other lists whole."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}")
    elif isinstance(value, list) and path.endswith("ontainers"):
        for item in value:
            yield from _leaves(item, f"{path}.{item['name']}")
    else:
        yield path, value


def _short(path: str) -> str:
    """Without where every field is: `containers.web.env`."""
    parts = path.removeprefix(".").removeprefix("spec.").removeprefix("template.spec.").split(".")
    return f"`{'.'.join(parts[:_DEPTH])}`"


if __name__ == "__main__":
    SUMMARY.write_text(written(), "utf-8")
    print(f"Wrote {SUMMARY.relative_to(ROOT)}.")
