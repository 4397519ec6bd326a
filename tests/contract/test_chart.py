"""The contract with Kubernetes: the chart rendered by Helm itself, every object and promise checked."""

import json
import subprocess
import sys
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import pytest
from helm_python.errors import HelmError

from hpc_portal.app.settings import Settings
from scripts.write_chart_schema import CHART, SCHEMA, written
from tests.contract.charts import (
    EXAMPLES,
    MINIMUM,
    Thing,
    Values,
    containers,
    environment,
    example,
    of_kind,
    pods,
    render,
    values_of,
)

KUBERNETES = "1.34"
OPERATORS = {"monitoring.coreos.com", "keda.sh", "postgresql.cnpg.io", "gateway.networking.k8s.io"}
"""Their objects have schemas of their own, which kubernetes-validate does not carry."""
NODE, LOOK = (Path(sys.prefix) / name for name in ("bin/node", "operators/look.js"))


def is_of_operator(thing: Thing) -> bool:
    return thing["apiVersion"].split("/")[0] in OPERATORS


def operators_say(things: list[Thing]) -> list[str]:
    """What is wrong with objects of operators, by what these publish (operators/look.js)."""
    found = subprocess.run(
        [NODE, LOOK], input=json.dumps(things), capture_output=True, text=True, check=True, timeout=120
    )
    said: list[str] = json.loads(found.stdout)
    return said


def test_every_object_is_one_that_kubernetes_takes(things: list[Thing]) -> None:
    for thing in things:
        if not is_of_operator(thing):
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)


def test_every_object_of_an_operator_is_one_that_it_takes() -> None:
    everything = [thing for path in EXAMPLES for thing in render(values_of(path)) if is_of_operator(thing)]
    assert {thing["kind"] for thing in everything} == {
        *("Cluster", "HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor")
    }
    assert operators_say(everything) == []


def test_a_misspelt_field_of_an_operators_object_is_found() -> None:
    [scaled] = of_kind(render(example("dask")), "ScaledObject").values()
    scaled["spec"]["minReplicas"] = 0
    [route] = of_kind(render(example("slurm")), "HTTPRoute").values()
    route["spec"]["hostnames"] = ["not a host"]
    found = operators_say([scaled, route])
    assert len(found) == 2
    assert "hostnames" in found[0]
    assert "'minReplicas' does not exist" in found[1].replace('"', "'").replace("''", "'")


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
    things = render(example("slurm"))
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


@pytest.mark.parametrize("name", ["embedded", "slurm"])
def test_traces_have_their_headers_from_a_secret_and_a_way_to_the_collector(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = {"podSelector": {"matchLabels": {"app": "otel-collector"}}}
    values = example(name)
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
        if name == "embedded"
        else {"hpc-hpc-portal-web", "hpc-hpc-portal-controller"}
    )
    for thing, pod in processes:
        with monkeypatch.context() as patch:
            for variable, value in environment(traced, pod).items():
                patch.setenv(variable, value)
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
    assert ways == {"hpc-hpc-portal-web"} | (set() if name == "embedded" else {"hpc-hpc-portal-controller"})
    assert "4319" not in str(render(example(name)))


def test_no_secret_is_written_into_any_object(things: list[Thing]) -> None:
    assert [thing for thing in things if thing["kind"] == "Secret"] == []


def test_images_of_a_site_without_a_way_out_are_its_own() -> None:
    values = example("air-gapped")
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
