"""From the chart that sites have to this one: nothing changes that cannot, and nothing is left behind."""

import copy
from pathlib import Path

import helm_python as helm
import pytest

from scripts.render_chart import EXAMPLES, RELEASED, Values, named, render, values_of
from scripts.write_chart_schema import CHART
from scripts.write_chart_upgrade import SUMMARY, known_to_released, written
from tests.contract.charts import MINIMUM, example, of_kind

IMMUTABLE = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
    "Job": ("selector", "template", "completionMode"),
    "PersistentVolumeClaim": ("accessModes", "storageClassName"),
    "Service": ("clusterIP",),
}
"""What Kubernetes refuses to change in an object that exists: such an upgrade would fail half-way."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_upgrade_from_the_released_chart_changes_nothing_that_cannot_change(path: Path) -> None:
    values = values_of(path)
    before = named(render(known_to_released(values), chart=RELEASED))
    after = named(render(values))
    kept = {"PersistentVolumeClaim", "Cluster"}
    assert {key for key in before if key[0] in kept} <= set(after), "data would be left behind"
    for key in before.keys() & after.keys():
        for field in IMMUTABLE.get(key[0], ()):
            assert before[key]["spec"].get(field) == after[key]["spec"].get(field), (key, field)


def test_a_chart_that_differs_from_the_released_one_has_another_version() -> None:
    values = example("dask")
    with helm.Chart.load(str(RELEASED)) as released, helm.Chart.load(str(CHART)) as present:
        old, new = (chart.render(values, name="hpc", namespace="hpc") for chart in (released, present))
        assert old == new or released.version != present.version


@pytest.mark.parametrize(
    "change",
    [
        {"image": {"tag": "0.2.0"}},
        {"image": {"pullPolicy": "Always"}},
        {"image": {"pullSecrets": [{"name": "registry"}]}},
        {"database": {"secret": {"name": "other"}}},
    ],
    ids=str,
)
def test_what_changes_the_migrations_pod_makes_a_job_of_another_name(change: Values) -> None:
    before, after = (of_kind(render(copy.deepcopy(MINIMUM) | more), "Job") for more in ({}, change))
    [(old, old_job), (new, new_job)] = (*before.items(), *after.items())
    assert old_job["spec"]["template"] != new_job["spec"]["template"]
    assert old != new


def test_what_does_not_change_the_migrations_pod_makes_no_job_anew() -> None:
    more = copy.deepcopy(MINIMUM) | {"web": {"replicas": 5}}
    assert of_kind(render(MINIMUM), "Job") == of_kind(render(more), "Job")


def test_what_an_upgrade_changes_is_written_down() -> None:
    assert SUMMARY.read_text("utf-8") == written(), "run: python -m scripts.write_chart_upgrade"
