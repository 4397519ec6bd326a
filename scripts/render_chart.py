"""Renders the Helm chart with Helm itself, for a site's values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from scripts.write_chart_schema import CHART
from scripts.write_docs import ROOT

EXAMPLES = sorted((ROOT / "helm" / "examples").glob("*.yaml"))
RELEASED = max((ROOT / "helm" / "released").glob("*.tgz"))
"""The newest chart that sites may have installed; packed by `helm package` when a version is released."""

Values = dict[str, Any]
Thing = dict[str, Any]


def values_of(path: Path) -> Values:
    """An example's."""
    found: Values = yaml.safe_load(path.read_text("utf-8"))
    return found


def render(values: Values, *, chart: Path = CHART) -> list[Thing]:
    """Every object of the release `hpc` in the namespace `hpc`.

    Raises:
        HelmError: the values are not of the schema, or the chart refuses them.
    """
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


def named(things: Iterable[Thing]) -> dict[tuple[str, str], Thing]:
    """By kind and name, which Kubernetes knows an object by."""
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in things}
