"""What Prometheus is told to look at: metrics that there are, and that it may read."""

import inspect
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python.errors import HelmError

from hpc_portal.app.telemetry import instruments, operators_state, portal_state, wanted
from scripts.write_chart_schema import CHART
from scripts.write_docs import ROOT
from tests.contract.charts import MINIMUM, Thing, example, of_kind, pods, render, selected

NODE, PROMQL = (Path(sys.prefix) / name for name in ("bin/node", "operators/promql.js"))
ALERTS: list[dict[str, str]] = yaml.safe_load((CHART / "alerts.yaml").read_text("utf-8"))["rules"]


def asked() -> list[str]:
    """Every expression of the alerts, the dashboard and the pools."""
    dashboard = json.loads((CHART / "dashboard.json").read_text("utf-8"))
    [scaled] = of_kind(render(example("dask")), "ScaledObject").values()
    return [
        *(alert["expr"] for alert in ALERTS),
        *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]),
        *(one["metadata"]["query"] for one in scaled["spec"]["triggers"] if one["type"] == "prometheus"),
    ]


def not_promql(expressions: list[str]) -> list[str]:
    """Those that Prometheus' own grammar does not know (operators/promql.js)."""
    found = subprocess.run(
        [NODE, PROMQL], input=json.dumps(expressions), capture_output=True, text=True, check=True, timeout=60
    )
    said: list[str] = json.loads(found.stdout)
    return said


def test_alerts_dashboard_and_pools_ask_in_promql() -> None:
    assert not_promql(asked()) == []
    assert not_promql(["max(a) by", "max by (b) (a)"]) == ["max(a) by: No parse at 9"]


def test_alerts_dashboard_and_pools_ask_only_for_metrics_that_there_are() -> None:
    """A renamed metric would silence an alert, and nobody would notice."""
    modules = (instruments, operators_state, portal_state, wanted)
    source = "".join(map(inspect.getsource, modules))
    named = set(itertools.chain.from_iterable(_metrics(expression) for expression in asked()))
    assert {name for name in named if f'"{name}"' not in source} == set()
    assert {"hpc_wanted_tres", "hpc_check_age_seconds", "hpc_database_up"} <= named


def _metrics(expression: str) -> Iterator[str]:
    words = "".join(c if c.isalnum() or c == "_" else " " for c in expression).split()
    for word in words:
        if word.startswith("hpc_"):
            yield word.removesuffix("_total").removesuffix("_bucket")


def test_every_alert_says_what_to_do_first() -> None:
    assert all(alert["runbook"] and alert["summary"] for alert in ALERTS)
    assert len({alert["alert"] for alert in ALERTS}) == len(ALERTS)


def test_every_alert_is_in_the_rules_as_it_is_in_the_file() -> None:
    [rules] = of_kind(render(example("dask")), "PrometheusRule").values()
    [group] = rules["spec"]["groups"]
    assert [
        (one["alert"], one["expr"], one["for"], one["annotations"]["runbook"]) for one in group["rules"]
    ] == [(one["alert"], one["expr"], one["for"], one["runbook"]) for one in ALERTS]


def test_it_is_told_when_nothing_is_told_any_more() -> None:
    """Every other rule is about what a process says, and silent where none says anything."""
    about_silence = [one for one in ALERTS if one["expr"].startswith("absent(")]
    assert [(one["alert"], one["severity"]) for one in about_silence] == [("HpcPortalSilent", "critical")]


def test_operations_has_a_line_on_what_watches_the_watchers() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert "`hpc_check_age_seconds`" in text
    assert "absent(hpc_database_up)" in text


@pytest.mark.parametrize(
    ("values", "reader"),
    [
        (MINIMUM | {"monitoring": {"serviceMonitor": {"enabled": True}}}, "monitoring.serviceMonitor"),
        ({**example("dask"), "monitoring": {}}, "dask.pools.gpu.autoscaling"),
    ],
    ids=["ServiceMonitor", "autoscaling"],
)
def test_metrics_that_somebody_needs_and_nobody_may_read_are_refused(
    values: dict[str, Any], reader: str
) -> None:
    without = values | {"networkPolicy": {"metricsFrom": []}}
    with pytest.raises(HelmError, match=f"networkPolicy.metricsFrom is empty.*{reader}"):
        render(without)
    render(without | {"networkPolicy": {"enabled": False}})


def test_prometheus_may_read_the_metrics_of_every_process_that_has_some(things: list[Thing]) -> None:
    if not of_kind(things, "ServiceMonitor"):
        return
    policy = of_kind(things, "NetworkPolicy")["metrics"]["spec"]
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9100}]
    [peer] = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    telling = [thing for thing, pod in pods(things) if "'containerPort': 9100" in str(pod)]
    assert telling
    assert all(thing in selected(policy["podSelector"], things) for thing in telling)
