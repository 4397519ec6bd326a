"""That pods are found, watched, spread and kept, and that people's way to them leads somewhere."""

from fnmatch import fnmatchcase

import pytest

from hpc_portal.app.settings import Settings
from tests.contract.charts import (
    MINIMUM,
    Thing,
    containers,
    environment,
    example,
    of_kind,
    pods,
    render,
    selected,
    template_of,
)

WITHOUT_LIVENESS = "dask-worker"
"""A container that is started anew takes its jobs with it."""


def component(thing: Thing) -> str:
    return str(thing["metadata"]["labels"]["app.kubernetes.io/component"])


def probed_port(container: Thing, probe: str) -> int:
    how = container[probe].get("httpGet") or container[probe]["tcpSocket"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    return int(ports[how["port"]])


def test_every_process_that_stays_is_asked_whether_it_started_lives_and_is_ready(things: list[Thing]) -> None:
    for thing, pod in pods(things):
        if thing["kind"] in {"Job", "CronJob"}:
            continue
        [container] = pod["containers"]
        probes = {"startupProbe", "livenessProbe", "readinessProbe"} & container.keys()
        missing = {"livenessProbe"} if component(thing).startswith(WITHOUT_LIVENESS) else set()
        assert probes == {"startupProbe", "livenessProbe", "readinessProbe"} - missing, component(thing)
        assert {probed_port(container, probe) for probe in probes} <= {8000, 8786, 8788, 9100}


@pytest.mark.parametrize("name", ["dask", "slurm", "high-availability", "embedded"])
def test_ready_is_asked_where_the_process_itself_answers(name: str) -> None:
    things = render(example(name))
    asked = {
        component(thing): container["readinessProbe"].get("httpGet", {}).get("path")
        for thing, pod in pods(things)
        for container in pod["containers"]
        if "readinessProbe" in container
    }
    for who, path in asked.items():
        assert path == (None if who.startswith("dask") else "/readyz"), who


def test_what_there_are_several_of_is_spread_over_machines_and_zones(things: list[Thing]) -> None:
    several = [
        (thing, pod)
        for thing, pod in pods(things)
        if component(thing) in {"web", "controller"} or component(thing).startswith("dask-worker")
    ]
    for thing, pod in several:
        keys = {one["topologyKey"]: one["labelSelector"] for one in pod["topologySpreadConstraints"]}
        assert set(keys) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        for selector in keys.values():
            assert selected(selector, things) == [thing]
    assert several or not of_kind(things, "Deployment")


@pytest.mark.parametrize(("name", "replicas"), [("external-database", 2), ("high-availability", 3)])
def test_one_pod_at_a_time_is_taken_away_of_what_there_are_several_of(name: str, replicas: int) -> None:
    things = render(example(name))
    budgets = of_kind(things, "PodDisruptionBudget")
    assert set(budgets) == {"web", "controller"}
    for who, budget in budgets.items():
        [thing] = selected(budget["spec"]["selector"], things)
        assert component(thing) == who
        assert budget["spec"]["maxUnavailable"] == 1
        assert thing["spec"]["replicas"] == (4 if who == "web" else replicas)
        rolled = thing["spec"]["strategy"]["rollingUpdate"]
        assert rolled == {"maxUnavailable": 0 if who == "web" else 1, "maxSurge": 1}


def test_budgets_can_be_left_out() -> None:
    assert not of_kind(render(MINIMUM | {"podDisruptionBudget": {"enabled": False}}), "PodDisruptionBudget")


def test_every_selector_finds_pods_and_those_that_it_is_named_after(things: list[Thing]) -> None:
    for thing in things:
        spec = thing.get("spec", {})
        match thing["kind"]:
            case "Deployment" | "StatefulSet":
                assert selected(spec["selector"], things) == [thing]
            case "Service" if component(thing) != "monitoring":
                [found] = selected(spec["selector"], things)
                assert component(found) in {component(thing), "embedded"}
            case "Service" | "PodDisruptionBudget":
                assert selected(spec.get("selector", {}), things)
            case "NetworkPolicy":
                assert selected(spec["podSelector"], things), thing["metadata"]["name"]
                for peer in _peers(spec):
                    if set(peer) == {"podSelector"}:
                        assert selected(peer["podSelector"], things), thing["metadata"]["name"]


def _peers(spec: Thing) -> list[Thing]:
    """Of whom a policy speaks; what others named by themselves are no pods of ours."""
    rules = [*spec.get("ingress", ()), *spec.get("egress", ())]
    return [peer for rule in rules for peer in (*rule.get("from", ()), *rule.get("to", ()))]


def test_services_lead_to_ports_that_there_are(things: list[Thing]) -> None:
    for service in of_kind(things, "Service").values():
        for port in service["spec"]["ports"]:
            for thing in selected(service["spec"]["selector"], things):
                names = {
                    one["name"]
                    for container in (template_of(thing) or {})["spec"]["containers"]
                    for one in container.get("ports", ())
                }
                is_metrics = port["targetPort"] == "metrics"
                assert port["targetPort"] in names or is_metrics, (component(service), component(thing))


def test_metrics_are_read_of_every_process_that_has_some() -> None:
    things = render(example("external-database"))
    [monitor] = of_kind(things, "ServiceMonitor").values()
    [service] = [
        one
        for one in of_kind(things, "Service").values()
        if monitor["spec"]["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()
    ]
    assert [port["name"] for port in service["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]
    named = {
        component(thing)
        for thing in selected(service["spec"]["selector"], things)
        for container in (template_of(thing) or {})["spec"]["containers"]
        if any(port["name"] == "metrics" for port in container.get("ports", ()))
    }
    assert named == {"web", "controller"}


def test_an_ingress_leads_from_its_host_to_the_web_processes() -> None:
    things = render(example("external-database"))
    [ingress] = of_kind(things, "Ingress").values()
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["hpc.example.vn"], "secretName": "hpc-tls"}]
    [rule] = ingress["spec"]["rules"]
    assert rule["host"] == "hpc.example.vn"
    [path] = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    backend = path["backend"]["service"]
    assert _led_to(things, backend["name"], backend["port"]["name"]) == "web"


def test_a_route_leads_from_its_hosts_to_the_web_processes() -> None:
    values = example("slurm")
    things = render(values)
    [route] = of_kind(things, "HTTPRoute").values()
    assert route["spec"]["hostnames"] == values["gateway"]["hostnames"]
    assert route["spec"]["parentRefs"] == values["gateway"]["parentRefs"]
    [rule] = route["spec"]["rules"]
    assert rule["timeouts"] == {"request": "0s"}, "event streams would be cut"
    [backend] = rule["backendRefs"]
    assert _led_to(things, backend["name"], backend["port"]) == "web"


def _led_to(things: list[Thing], service: str, port: str | int) -> str:
    """Whose pods are behind a service's port, by its name or number; it is one that listens for people."""
    [found] = [one for one in things if (one["kind"], one["metadata"]["name"]) == ("Service", service)]
    [chosen] = [one for one in found["spec"]["ports"] if port in {one["name"], one["port"]}]
    [thing] = selected(found["spec"]["selector"], things)
    [container] = (template_of(thing) or {})["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports[chosen["targetPort"]] == 8000
    return component(thing)


def test_the_nodes_of_each_partition_are_pods_of_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    things = render(example("dask"))
    [controller] = [pod for thing, pod in pods(things) if component(thing) == "controller"]
    for name, value in environment(things, controller).items():
        monkeypatch.setenv(name, value)
    nodes = [f"{one['metadata']['name']}-0" for one in of_kind(things, "StatefulSet").values()]
    assert {
        partition.name: [name for name in nodes if fnmatchcase(name, partition.nodes)]
        for partition in Settings().partitions
    } == {"cpu": ["hpc-hpc-portal-cpu-0"], "gpu": ["hpc-hpc-portal-gpu-0"]}


def test_with_a_database_elsewhere_every_process_is_told_of_it_by_its_secret() -> None:
    things = render(example("external-database"))
    assert not of_kind(things, "Cluster")
    for thing, pod in pods(things):
        for container in containers(pod):
            [url] = [one for one in container["env"] if one["name"] == "HPC_PORTAL_DATABASE_URL"]
            assert url["valueFrom"] == {"secretKeyRef": {"name": "city-database", "key": "uri"}}, thing


def test_with_a_database_of_the_operators_every_process_is_told_of_it_by_the_operators_secret() -> None:
    things = render(example("high-availability"))
    [cluster] = of_kind(things, "Cluster").values()
    assert cluster["spec"]["instances"] == 3
    secret = f"{cluster['metadata']['name']}-app"
    for _, pod in pods(things):
        for container in containers(pod):
            if not container["args"][0].startswith("dask"):
                [url] = [one for one in container["env"] if one["name"] == "HPC_PORTAL_DATABASE_URL"]
                assert url["valueFrom"] == {"secretKeyRef": {"name": secret, "key": "uri"}}
