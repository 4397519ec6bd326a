"""Whom web processes in a cluster take for the client: uvicorn itself with the value of the chart."""

import asyncio
from typing import Any

import helm_python as helm
import pytest
import uvicorn
from helm_python.errors import HelmError

from scripts.write_chart_schema import CHART
from tests.contract.charts import ALL, MINIMUM, Values, environment, of_kind, pods, render

INGRESS = "10.244.1.7"
"""A pod of an Ingress."""


def client_of(value: str, peer: str, forwarded: str) -> str:
    """Whom a web process takes for the client."""
    seen: list[str] = []

    async def portal(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401 - ASGI
        seen.append(scope["client"][0])

    config = uvicorn.Config(
        portal, forwarded_allow_ips=value, proxy_headers=True, lifespan="off", log_config=None
    )
    config.load()
    headers = [(b"x-forwarded-for", forwarded.encode())]
    scope: Any = {"type": "http", "client": (peer, 40_000), "headers": headers}
    asyncio.run(config.loaded_app(scope, None, None))
    return seen[0]


def believed(values: Values) -> str:
    """By web processes."""
    things = render(values)
    web = of_kind(things, "Deployment")["web"]
    [pod] = [pod for thing, pod in pods(things) if thing is web]
    return environment(things, pod)["FORWARDED_ALLOW_IPS"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param(INGRESS, "203.0.113.7", "203.0.113.7", id="an Ingress tells who came"),
        pytest.param(INGRESS, "192.0.2.1, 203.0.113.7", "203.0.113.7", id="what the client forged is before"),
        pytest.param(INGRESS, "192.0.2.1, 203.0.113.7, 10.0.0.9", "203.0.113.7", id="two proxies"),
        pytest.param(INGRESS, "no address, 2001:db8::7", "2001:db8::7", id="IPv6"),
        pytest.param("fd00::1", "192.0.2.1, 2001:db8::7", "2001:db8::7", id="an Ingress on IPv6"),
        pytest.param("203.0.113.7", "192.0.2.1", "203.0.113.7", id="a stranger is no proxy"),
    ],
)
def test_by_default_a_client_outside_does_not_choose_its_address(
    peer: str, forwarded: str, client: str
) -> None:
    assert client_of(believed(MINIMUM), peer, forwarded) == client


def test_a_site_names_its_proxies_or_none() -> None:
    named = believed(MINIMUM | {"web": {"trustedProxies": ["10.244.1.0/24"]}})
    assert client_of(named, INGRESS, "192.0.2.1, 10.9.9.9") == "10.9.9.9", "somebody of the city's network"
    assert client_of(named, "10.9.9.9", "192.0.2.1") == "10.9.9.9", "another pod"
    assert client_of(believed(MINIMUM | {"web": {"trustedProxies": []}}), INGRESS, "192.0.2.1") == INGRESS


@pytest.mark.parametrize("values", ALL)
def test_no_example_believes_everybody(values: Values) -> None:
    for _, pod in pods(things := render(values)):
        assert "*" not in environment(things, pod).get("FORWARDED_ALLOW_IPS", "")


def test_the_embedded_portal_believes_the_same_proxies() -> None:
    things = render(MINIMUM | {"mode": "embedded"})
    [serves] = [environment(things, pod) for _, pod in pods(things) if "serve" in str(pod)]
    assert serves["FORWARDED_ALLOW_IPS"] == believed(MINIMUM)


@pytest.mark.parametrize("proxy", ["*", "0.0.0.0/0", "::/0", "proxy.example.vn", "10.0.0.0/8,*", ""])
def test_a_value_that_believes_everybody_or_nothing_known_is_refused(proxy: str) -> None:
    with helm.Chart.load(str(CHART)) as chart, pytest.raises(HelmError, match="trustedProxies"):
        chart.render(MINIMUM | {"web": {"trustedProxies": [proxy]}}, name="hpc", namespace="hpc")
