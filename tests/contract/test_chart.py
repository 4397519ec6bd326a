"""The contract with Kubernetes: the chart rendered by Helm itself, every object and promise checked."""

import copy
import inspect
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from helm_python.errors import HelmError

from hpc_portal.app.settings import Settings
from scripts.write_chart_schema import CHART, SCHEMA, written
from scripts.write_docs import ROOT

KUBERNETES = "1.34"
EXAMPLES = sorted((ROOT / "helm" / "examples").glob("*.yaml"))
OPERATORS = {"monitoring.coreos.com", "keda.sh", "postgresql.cnpg.io", "gateway.networking.k8s.io"}
"""Their objects have schemas of their own, which kubernetes-validate does not carry."""
MINIMUM = {
    "settings": {"slurm": {"url": "http://slurm-head:6820"}},
    "secrets": {"slurmJwtKey": {"name": "slurm-jwt"}},
}
"""What the default values leave to the site: which cluster."""

Values = dict[str, Any]
Thing = dict[str, Any]


def values_of(path: Path) -> Values:
    found: Values = yaml.safe_load(path.read_text("utf-8"))
    return found


def render(values: Values) -> list[Thing]:
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        written_out = chart.render(values, name="hpc", namespace="hpc")
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


@pytest.fixture(scope="module", params=ALL)
def things(request: pytest.FixtureRequest) -> list[Thing]:
    return render(request.param)


def pods(things: list[Thing]) -> Iterator[tuple[Thing, Thing]]:
    """Each workload with the spec of its pods."""
    for thing in things:
        if thing["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield thing, thing["spec"]["template"]["spec"]


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


def test_every_object_is_one_that_kubernetes_takes(things: list[Thing]) -> None:
    for thing in things:
        if thing["apiVersion"].split("/")[0] not in OPERATORS:
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)


def test_names_are_unique_and_short_enough(things: list[Thing]) -> None:
    names = [(thing["kind"], thing["metadata"]["name"]) for thing in things]
    assert len(names) == len(set(names))
    assert max(len(name) for _, name in names) <= 63


@pytest.mark.parametrize("path", [None, *EXAMPLES], ids=lambda path: path.stem if path else "default")
def test_helm_lint_finds_nothing(path: Path | None) -> None:
    report = helm.lint(str(CHART), values_of(path) if path else MINIMUM, strict=True)
    assert report["errors"] == []
    assert [one for one in report["messages"] if one["severity"] > 1] == []


def test_the_portal_understands_the_settings_that_it_is_given(
    things: list[Thing], monkeypatch: pytest.MonkeyPatch
) -> None:
    for thing, pod in pods(things):
        found = environment(things, pod)
        if pod["containers"][0]["args"][0] != "hpc-portal":
            continue
        with monkeypatch.context() as patch:
            for name, value in found.items():
                patch.setenv(name, value)
            settings = Settings()
        if thing["kind"] == "Deployment":
            assert settings.effective_database_url == "postgresql+psycopg://portal:secret@db/portal"
            assert settings.metrics_port == 9100


def test_nested_settings_and_secrets_arrive_together(monkeypatch: pytest.MonkeyPatch) -> None:
    things = render(values_of(ROOT / "helm/examples/slurm.yaml"))
    [(_, pod)] = [found for found in pods(things) if found[0]["metadata"]["name"].endswith("controller")]
    for name, value in environment(things, pod).items():
        monkeypatch.setenv(name, value)

    settings = Settings()

    assert settings.slurm
    assert settings.smtp
    assert settings.slurm.jwt_key == Path("/run/slurm-key/jwt_hs256.key")
    assert settings.slurm.tls_ca == Path("/run/slurm-ca/ca.crt")
    assert settings.slurm.programs == {"eda": ["yosys", "sta", "ngspice"]}
    assert settings.smtp.username == "hpc"
    assert settings.smtp.password.get_secret_value()
    assert not settings.dask_enabled


def test_no_pod_is_root_writes_its_image_or_gains_rights(things: list[Thing]) -> None:
    """But workers, which become the person whose job they start, and controllers that give folders away."""
    for thing, pod in pods(things):
        is_worker = "dask-worker" in thing["metadata"]["labels"]["app.kubernetes.io/component"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"]["drop"] == ["ALL"]
            added = set(context["capabilities"].get("add", ()))
            if is_worker:
                assert added <= {"SETUID", "SETGID", "CHOWN", "FOWNER", "KILL", "DAC_OVERRIDE"}
            elif added:
                assert (container["name"], added) == ("controller", {"CHOWN", "FOWNER"})
            else:
                assert pod["securityContext"]["runAsNonRoot"] is True


def test_every_container_says_what_it_needs_and_how_it_is(things: list[Thing]) -> None:
    for thing, pod in pods(things):
        for container in containers(pod):
            assert container["resources"]["requests"]["memory"]
            assert container["resources"]["limits"]["memory"]
            assert not container["image"].endswith(":latest")
        if thing["kind"] == "Deployment":
            assert pod["containers"][0]["livenessProbe"]


def test_only_controllers_hold_the_key_of_slurm(things: list[Thing]) -> None:
    for thing, pod in pods(things):
        secrets = {volume["name"] for volume in pod["volumes"] if "secret" in volume}
        if not thing["metadata"]["name"].endswith("controller"):
            assert not secrets & {"slurm-key", "slurm-tokens"}


def test_web_processes_reach_the_database_and_the_identity_provider_only(things: list[Thing]) -> None:
    policies = {
        thing["metadata"]["name"]: thing["spec"] for thing in things if thing["kind"] == "NetworkPolicy"
    }
    assert policies["hpc-hpc-portal-nothing-else"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policies["hpc-hpc-portal-nothing-else"]
    web = policies["hpc-hpc-portal-web"]
    ports = [port["port"] for rule in web.get("egress", ()) for port in rule["ports"]]
    assert ports in ([], [5432], [5432, 443])


@pytest.mark.parametrize("example", ["embedded", "slurm"])
def test_traces_have_their_headers_from_a_secret_and_a_way_to_the_collector(
    example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = {"podSelector": {"matchLabels": {"app": "otel-collector"}}}
    values = values_of(ROOT / "helm/examples" / f"{example}.yaml")
    values.setdefault("settings", {})["tracing"] = {
        "endpoint": "http://otel-collector.monitoring:4318",
        "sampling_ratio": 0.25,
    }
    values.setdefault("secrets", {})["tracingHeaders"] = {"name": "collector", "key": "headers"}
    values.setdefault("networkPolicy", {})["tracing"] = {"to": [collector], "port": 4319}
    traced = render(values)

    processes = [(thing, pod) for thing, pod in pods(traced) if "OTEL_EXPORTER_OTLP_HEADERS" in str(pod)]
    names = {thing["metadata"]["name"] for thing, _ in processes}
    assert names == (
        {"hpc-hpc-portal-embedded"}
        if example == "embedded"
        else {"hpc-hpc-portal-web", "hpc-hpc-portal-controller"}
    )
    for thing, pod in processes:
        with monkeypatch.context() as patch:
            for name, value in environment(traced, pod).items():
                patch.setenv(name, value)
            settings = Settings()
        assert settings.tracing, thing
        assert settings.tracing.endpoint == "http://otel-collector.monitoring:4318"
        assert settings.tracing.sampling_ratio == 0.25
    ways = {
        thing["metadata"]["name"]
        for thing in traced
        if thing["kind"] == "NetworkPolicy"
        for rule in thing["spec"].get("egress", ())
        if rule == {"ports": [{"protocol": "TCP", "port": 4319}], "to": [collector]}
    }
    assert ways == {"hpc-hpc-portal-web"} | (
        set() if example == "embedded" else {"hpc-hpc-portal-controller"}
    )
    assert "4319" not in str(render(values_of(ROOT / "helm/examples" / f"{example}.yaml")))


def test_no_secret_is_written_into_any_object(things: list[Thing]) -> None:
    assert [thing for thing in things if thing["kind"] == "Secret"] == []


def test_images_of_a_site_without_a_way_out_are_its_own() -> None:
    values = values_of(ROOT / "helm/examples/air-gapped.yaml")
    images = {container["image"] for _, pod in pods(render(values)) for container in containers(pod)}
    registry, digest = values["image"]["registry"], values["image"]["digest"]
    assert images == {f"{registry}/hpc-portal@{digest}"}


def test_every_setting_that_a_site_chooses_is_in_the_schema_and_no_other() -> None:
    assert SCHEMA.read_text("utf-8") == written(), "run: python -m scripts.write_chart_schema"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"settings": {"puplic_url": "https://x"}}, "puplic_url"),
        ({"settings": {"database_url": "postgresql://u:p@h/d"}}, "database_url"),
        ({"settings": {"session_hours": 0}}, "session_hours"),
        ({"settings": {"tracing": {"endpoint": "http://c:4318", "sampling_ratio": 2}}}, "sampling_ratio"),
        ({"web": {"replica": 3}}, "replica"),
        ({"dask": {"enabled": True}}, "tlsSecret"),
        ({"mode": "both"}, "mode"),
        ({"dask": {"pools": {"gpu": {"cpus": 8}}}}, "memoryMiB"),
    ],
)
def test_a_wrong_value_is_refused_and_named(change: Values, named: str) -> None:
    with helm.Chart.load(str(CHART)) as chart, pytest.raises(HelmError, match=named):
        chart.render(change, name="hpc", namespace="hpc")


def test_another_image_migrates_anew_and_the_same_does_not() -> None:
    def job(values: Values) -> str:
        [found] = [thing["metadata"]["name"] for thing in render(values) if thing["kind"] == "Job"]
        return str(found)

    newer = copy.deepcopy(MINIMUM) | {"image": {"tag": "0.2.0"}}
    more = copy.deepcopy(MINIMUM) | {"web": {"replicas": 5}}
    assert job(MINIMUM) == job(more) != job(newer)


def test_alerts_and_dashboard_ask_only_for_metrics_that_there_are() -> None:
    """A renamed metric would silence an alert, and nobody would notice."""
    from hpc_portal.app.telemetry import instruments, operators_state, portal_state  # noqa: PLC0415 - only here

    modules = (instruments, operators_state, portal_state)
    source = "".join(map(inspect.getsource, modules))
    alerts = yaml.safe_load((CHART / "alerts.yaml").read_text("utf-8"))["rules"]
    dashboard = json.loads((CHART / "dashboard.json").read_text("utf-8"))
    asked = [alert["expr"] for alert in alerts]
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = set(itertools.chain.from_iterable(_metrics(expression) for expression in asked))
    assert {name for name in named if f'"{name}"' not in source} == set()
    assert all(alert["runbook"] for alert in alerts)


def _metrics(expression: str) -> Iterator[str]:
    words = "".join(c if c.isalnum() or c == "_" else " " for c in expression).split()
    for word in words:
        if word.startswith("hpc_"):
            yield word.removesuffix("_total").removesuffix("_bucket")


RELEASED = max((ROOT / "helm" / "released").glob("*.tgz"))
"""The newest chart that sites may have installed; packed by `helm package` when a version is released."""
IMMUTABLE = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
    "PersistentVolumeClaim": ("accessModes", "storageClassName"),
    "Service": ("clusterIP",),
}
"""What Kubernetes refuses to change in an object that exists: such an upgrade would fail half-way."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_upgrade_from_the_released_chart_changes_nothing_that_cannot_change(path: Path) -> None:
    values = values_of(path)
    with helm.Chart.load(str(RELEASED)) as chart:
        before = named(
            itertools.chain.from_iterable(
                yaml.safe_load_all(text)
                for template, text in chart.render(values, name="hpc", namespace="hpc").items()
                if not template.endswith("NOTES.txt")
            )
        )
    after = named(render(values))
    kept = {"PersistentVolumeClaim", "Cluster"}
    assert {key for key in before if key[0] in kept} <= set(after), "data would be left behind"
    for key in before.keys() & after.keys():
        for field in IMMUTABLE.get(key[0], ()):
            assert before[key]["spec"].get(field) == after[key]["spec"].get(field), (key, field)


def test_a_chart_that_differs_from_the_released_one_has_another_version() -> None:
    values = values_of(ROOT / "helm/examples/dask.yaml")
    with helm.Chart.load(str(RELEASED)) as released, helm.Chart.load(str(CHART)) as present:
        old, new = (chart.render(values, name="hpc", namespace="hpc") for chart in (released, present))
        assert old == new or released.version != present.version


def named(things: Iterable[Thing]) -> dict[tuple[str, str], Thing]:
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in things if thing}
