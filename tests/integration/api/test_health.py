"""Whether a web process lives and can serve, as probes of Kubernetes and load balancers ask it."""

import asyncio
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from alembic import command
from prometheus_client import REGISTRY
from sqlalchemy import text
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.schema import alembic_config
from hpc_portal.app.settings import Settings
from hpc_portal.app.telemetry.readiness import ReadinessCheck
from hpc_portal.middleware import SecurityHeaders
from tests.integration.api.conftest import Portal


def _stamp(portal: Portal) -> None:
    """The test's tables were made without migrations: say that they are of the newest."""
    command.stamp(alembic_config(portal.city.services.settings.effective_database_url), "head")


def test_a_process_with_its_database_lives_and_is_ready(portal: Portal) -> None:
    _stamp(portal)
    with portal.client() as stranger:
        assert stranger.get("/healthz").json() == {"status": "ok"}
        ready = stranger.get("/readyz")

    assert ready.status_code == 200
    assert ready.json() == {"database": "ok", "schema": "ok", "workspaces": "ok"}


def test_an_older_schema_is_not_ready_a_newer_one_is(portal: Portal) -> None:
    """Between `db upgrade` and the new processes the old ones go on serving."""
    _stamp(portal)
    engine = portal.city.services.engine
    update = text("UPDATE alembic_version SET version_num = :revision")
    with engine.connect() as connection:
        head = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()

    def look(revision: str) -> int:
        transact(engine, lambda connection: connection.execute(update, {"revision": revision}))
        with portal.client() as stranger:
            return stranger.get("/readyz").status_code

    assert look("0001") == 503
    assert look("9999_from_the_future") == 200
    assert look(head) == 200


def test_a_database_out_of_reach_is_not_ready_and_names_no_secret() -> None:
    url = "postgresql+psycopg://portal:hunter2@127.0.0.1:1/none"
    found = ReadinessCheck(create_engine(url), Settings(database_url=url)).look()

    assert not found.is_ready
    assert found.checks["database"] == "does not answer"
    assert "hunter2" not in str(found.checks)


def test_a_workspace_mount_that_is_gone_is_not_ready(portal: Portal, tmp_path: Path) -> None:
    settings = portal.city.services.settings.model_copy(update={"workspace_root": tmp_path / "unmounted"})
    gone = ReadinessCheck(portal.city.services.engine, Settings.model_validate(settings.model_dump()))

    assert gone.look().checks["workspaces"] == "the folder is not there"


def test_requests_are_counted_by_pattern_never_by_address(portal: Portal) -> None:
    labels = {"method": "GET", "route": "/api/v1/jobs/{job_id}", "status": "404"}
    before = REGISTRY.get_sample_value("hpc_http_requests_total", labels) or 0

    with portal.client(portal.city.chips.member) as member:
        member.get("/api/v1/jobs/00000000-0000-7000-8000-000000000000")
        member.get("/no/such/page")

    assert REGISTRY.get_sample_value("hpc_http_requests_total", labels) == before + 1
    routes = {
        sample.labels["route"]
        for metric in REGISTRY.collect()
        if metric.name == "hpc_http_requests"
        for sample in metric.samples
    }
    assert not any("00000000" in route or "no/such" in route for route in routes)


def test_the_name_that_a_proxy_gave_a_request_is_kept_and_nothing_else(portal: Portal) -> None:
    with portal.client() as stranger:
        kept = stranger.get("/healthz", headers={"x-request-id": "5f0c1d2e-proxy"})
        refused = stranger.get("/healthz", headers={"x-request-id": "<script>alert(1)</script>"})

    assert kept.headers["x-request-id"] == "5f0c1d2e-proxy"
    assert len(refused.headers["x-request-id"]) == 16


def test_an_address_with_one_stroke_too_many_leads_to_no_other_host(portal: Portal) -> None:
    with portal.client() as stranger:
        answer = stranger.get("/jobs/?state=FAILED", headers={"host": "evil.example"})
    assert answer.status_code == HTTPStatus.TEMPORARY_REDIRECT
    assert answer.headers["location"] == "/jobs?state=FAILED"


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("http://here.example/jobs", "/jobs"),
        ("http://here.example//evil.example/", "/evil.example/"),
        ("http://here.example/\\evil.example/", "/evil.example/"),
        ("https://provider.example/sign-in", "https://provider.example/sign-in"),
        ("http://here.example.evil.example/", "http://here.example.evil.example/"),
        ("/jobs", "/jobs"),
    ],
)
def test_addresses_here_name_no_host_and_others_are_left_alone(location: str, leads_to: str) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=307, headers={"location": location})(scope, receive, send)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(SecurityHeaders(answer, is_https=False))
        async with httpx.AsyncClient(transport=transport, base_url="http://here.example") as client:
            return await client.get("/")

    assert asyncio.run(ask()).headers["location"] == leads_to
