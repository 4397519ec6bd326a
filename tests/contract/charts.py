"""Finds its way in what Helm makes of the chart."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from scripts.render_chart import EXAMPLES, Thing, Values, render, values_of
from scripts.write_docs import ROOT

__all__ = [
    "ALL",
    "EXAMPLES",
    "MINIMUM",
    "Thing",
    "Values",
    "containers",
    "environment",
    "example",
    "of_kind",
    "pods",
    "render",
    "selected",
    "template_of",
    "values_of",
]

MINIMUM: dict[str, Any] = {
    "settings": {"slurm": {"url": "http://slurm-head:6820"}},
    "secrets": {"slurmJwtKey": {"name": "slurm-jwt"}},
}
"""What the default values leave to the site: which cluster."""


def example(name: str) -> Values:
    return values_of(ROOT / "helm" / "examples" / f"{name}.yaml")


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
