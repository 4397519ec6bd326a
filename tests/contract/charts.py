"""Renders the chart with Helm itself, and finds its way in what comes out."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

from scripts.write_chart_schema import CHART
from scripts.write_docs import ROOT

EXAMPLES = sorted((ROOT / "helm" / "examples").glob("*.yaml"))
MINIMUM: dict[str, Any] = {
    "settings": {"slurm": {"url": "http://slurm-head:6820"}},
    "secrets": {"slurmJwtKey": {"name": "slurm-jwt"}},
}
"""What the default values leave to the site: which cluster."""

Values = dict[str, Any]
Thing = dict[str, Any]


def values_of(path: Path) -> Values:
    found: Values = yaml.safe_load(path.read_text("utf-8"))
    return found


def example(name: str) -> Values:
    return values_of(ROOT / "helm" / "examples" / f"{name}.yaml")


def render(values: Values, *, chart: Path = CHART) -> list[Thing]:
    with helm.Chart.load(str(chart)) as loaded:
        loaded.validate_schema(values)
        written_out = loaded.render(values, name="hpc", namespace="hpc")
    return [
        thing
        for template, text in written_out.items()
        if not template.endswith("NOTES.txt")
        for thing in yaml.safe_load_all(text)
        if thing
    ]


ALL = [
    pytest.param(MINIMUM, id="default"),
    *(pytest.param(values_of(path), id=path.stem) for path in EXAMPLES),
]


def of_kind(things: Iterable[Thing], kind: str) -> dict[str, Thing]:
    """By name, without the release's."""
    return {
        thing["metadata"]["name"].removeprefix("hpc-hpc-portal").removeprefix("-"): thing
        for thing in things
        if thing["kind"] == kind
    }


def template_of(thing: Thing) -> Thing | None:
    """Of the pods that it makes; None: it makes none."""
    match thing["kind"]:
        case "Deployment" | "StatefulSet" | "Job":
            found: Thing = thing["spec"]["template"]
        case "CronJob":
            found = thing["spec"]["jobTemplate"]["spec"]["template"]
        case _:
            return None
    return found


def pods(things: Iterable[Thing]) -> Iterator[tuple[Thing, Thing]]:
    """Each workload with the spec of its pods."""
    for thing in things:
        if template := template_of(thing):
            yield thing, template["spec"]


def containers(pod: Thing) -> Iterator[Thing]:
    yield from (*pod.get("initContainers", ()), *pod["containers"])


def environment(things: list[Thing], pod: Thing) -> dict[str, str]:
    """What the first container of a pod finds, secrets as words."""
    [container, *_] = pod["containers"]
    maps = {thing["metadata"]["name"]: thing["data"] for thing in things if thing["kind"] == "ConfigMap"}
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    for one in container.get("env", ()):
        found[one["name"]] = one.get("value", "postgresql://portal:secret@db/portal")
    return found


def selected(selector: Thing, things: Iterable[Thing]) -> list[Thing]:
    """The workloads whose pods have these labels."""
    wanted = selector.get("matchLabels", selector).items()
    return [
        thing
        for thing in things
        if (template := template_of(thing)) and wanted <= template["metadata"]["labels"].items()
    ]
