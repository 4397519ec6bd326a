"""What belongs to one tenant is nowhere to be seen for another: every route is tried, as the router has it.

A new route is covered by itself. One with a path parameter that is not known here fails with a message that
tells what to add.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.db import transact
from hpc_portal.app.files.workspace import prepare_workspace
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.requests.attachments import add_attachment
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.app.service_accounts.create import NewService, create_service
from hpc_portal.app.tables import GlobalRole, OrganisationMember, OrganisationRole, User
from hpc_portal.app.tenants.invite import Invitees, invite
from hpc_portal.app.tenants.make_class import NewClass, make_class
from hpc_portal.app.tenants.seats import Share
from hpc_portal.auth.sessions import open_session
from quotas.tables import Allocation
from tests.integration.api.conftest import Portal
from tests.small_city import GRANTED_AT
from tests.small_waves import VCD

SECRETS = ("skywalker", "TOP-SECRET", "Chips first silicon", "Chips JSC", "Chips-Member", "Chips-Lead")
"""Names and contents of the first tenant that no request of these tests mentions."""

PUBLIC_PARAMETERS = {
    "secret": "guessed",
    "session_id": "guessed",
    "name": "script",
    "announcement_id": "01a218f5-0000-7000-8000-000000000000",
    "code": "en",
    "cluster": "memory",
    "group": "budgets",
    "part": "submit",
    "month": "2026-11",
    "kind": "runs",
    "number": "1",
    "version": "1",
    "state": "TIMEOUT",
    "feature": "vcs",
    "draft_id": "1",
    "rule_id": "1",
    "programme": "chip-design",
    "upload_id": str(UUID(int=1)),
}
"""Path parameters that name nothing of a tenant."""

PUBLIC_API = {
    ("POST", "/api/v1/tokens/sign-in"),
    ("POST", "/api/v1/invitations/look"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/v1/open-data"),
}
PUBLIC_PAGES = re.compile(
    r"^/(invitations/|sign-in|open-data|language/|theme/|static|healthz|readyz|favicon)"
)
"""What a stranger may call."""

BODIES: dict[str, Any] = {
    "/api/v1/tokens/sign-in": {"username": "chips-member", "password": "guess"},
    "/api/v1/tokens": {"name": "mine"},
    "/api/v1/me": {"locale": "en"},
    "/api/v1/me/password": {"present": "wrong", "new": "long enough for anybody"},
    "/api/v1/me/email": {"email": "mine@example.vn", "password": "wrong"},
    "/api/v1/me/email/confirm": {"secret": "guessed"},
    "/api/v1/jobs": {"project": "chips", "spec": {"name": "a", "argv": ["true"]}},
    "/api/v1/jobs/estimate": {"project": "chips", "spec": {"name": "a", "argv": ["true"]}},
    "/api/v1/jobs/cancel": {"job_ids": ["{job_id}"]},
    "/api/v1/jobs/run-again": {"job_ids": ["{job_id}"]},
    "/api/v1/jobs/run-again/estimate": {"job_ids": ["{job_id}"]},
    "/api/v1/job-views/{name}": {"project": "chips", "owner": "chips-member"},
    "/api/v1/jobs/changes": {"job_ids": ["{job_id}"], "change": {"change": "hold"}},
    "/api/v1/jobs/{job_id}/changes": {"change": "hold"},
    "/api/v1/jobs/{job_id}/doubt": {"decision": "end", "reason": "mine"},
    "/api/v1/projects": {"organisation": "chips-org", "account": "mine", "name": "Mine"},
    "/api/v1/projects/{account}/members/{username}": {"role": "lead"},
    "/api/v1/projects/{account}/grants": {
        "lines": {"VND": 1},
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_to": "2027-01-01T00:00:00Z",
        "reason": "mine",
    },
    "/api/v1/users": {"username": "mine", "display_name": "Mine", "password": "long enough for anybody"},
    "/api/v1/users/{username}/password": {"new": "long enough for anybody"},
    "/api/v1/users/{username}/second-factor/reset": {"reason": "mine"},
    "/api/v1/users/{username}/clusters/{cluster}": {"cluster_user": "mine", "uid": 5001},
    "/api/v1/organisations": {"slug": "mine", "name": "Mine", "kind": "startup"},
    "/api/v1/organisations/{slug}/members/{username}": {"role": "manager"},
    "/api/v1/organisations/{slug}/state": {"state": "suspended", "reason": "mine"},
    "/api/v1/organisations/{slug}/hand-over": {"successor": "rivals-lead", "former": "chips-lead"},
    "/api/v1/organisations/{slug}/invitations": {"emails": ["a@b.vn"], "role": "manager"},
    "/api/v1/projects/{account}/state": {"state": "closed", "reason": "mine", "jobs": "cancel_all"},
    "/api/v1/projects/{account}/hand-over": {"successor": "rivals-lead", "former": "chips-lead"},
    "/api/v1/projects/{account}/files/folders": {"path": "mine"},
    "/api/v1/projects/{account}/files/moves": {"path": "top.v", "to": "mine.v"},
    "/api/v1/projects/{account}/invitations": {"emails": ["a@b.vn"], "role": "lead"},
    "/api/v1/invitations/accept": {"secret": "guessed"},
    "/api/v1/invitations/look": {"secret": "guessed"},
    "/api/v1/projects/{account}/service-accounts": {"name": "mine", "purpose": "mine"},
    "/api/v1/projects/{account}/service-accounts/{service}": {"purpose": "mine"},
    "/api/v1/projects/{account}/service-accounts/{service}/tokens": {"name": "mine"},
    "/api/v1/projects/{account}/service-accounts/{service}/tokens/{token_id}/rotate": {},
    "/api/v1/projects/{account}/classes": {"name": "Mine", "students": [{"student": "chips-member"}]},
    "/api/v1/classes/{class_id}/students": {"students": [{"student": "a@b.vn"}], "each": {"VND": 1}},
    "/api/v1/classes/{class_id}/students/{account}/give": {"lines": {"VND": 1}},
    "/api/v1/classes/{class_id}/students/{account}/take": {},
    "/api/v1/classes/{class_id}/students/{account}/remove": {},
    "/api/v1/classes/{class_id}/end": {"jobs": "cancel_all"},
    "/api/v1/scripts/translate": {"script": "#!/bin/sh\n#SBATCH --account=chips\n"},
    "/api/v1/campaigns/{campaign_id}/reruns": {"run": 0},
    "/api/v1/licenses/{feature}/reservations/{project}": {"count": 1},
    "/api/v1/end-rules/{state}": {"is_charged": False, "reason": "mine"},
    "/api/v1/site-templates": {"document": "name = 3"},
    "/api/v1/site-templates/check": {"document": "name = 3"},
    "/api/v1/requests": {"project": "chips", "lines": {"VND": 1}},
    "/api/v1/requests/from-shortage": {"project": "chips", "missing": {"VND": 1}},
    "/api/v1/requests/{request_id}": {"lines": {"VND": 1}},
    "/api/v1/requests/{request_id}/submit": {"message": "mine"},
    "/api/v1/requests/{request_id}/withdraw": {"message": "mine"},
    "/api/v1/requests/{request_id}/return": {"message": "mine"},
    "/api/v1/requests/{request_id}/approve": {"message": "mine"},
    "/api/v1/requests/{request_id}/approve-partly": {"granted": {"VND": 1}, "message": "mine"},
    "/api/v1/requests/{request_id}/deny": {"message": "mine"},
    "/api/v1/notices/read": {},
    "/api/v1/notices/choice": {"mail": False},
    "/api/v1/notices/choices/{group}": {"on_page": True, "by_mail": "off", "by_webhook": False},
    "/api/v1/webhook": {"url": "https://hooks.example.vn/"},
    "/api/v1/jobs/{job_id}/refunds": {"percent": 100, "reason": "mine"},
    "/api/v1/refund-cases/{case_id}/decision": {"percent": 100, "reason": "mine"},
    "/api/v1/allocations/{allocation_id}/increase": {"lines": {"VND": 1}, "reason": "mine"},
    "/api/v1/allocations/{allocation_id}/reduce": {"lines": {"VND": 1}, "reason": "mine"},
    "/api/v1/allocations/{allocation_id}/extend": {"valid_to": "2099-01-01T00:00:00Z", "reason": "mine"},
    "/api/v1/allocations/{allocation_id}/suspend": {"reason": "mine"},
    "/api/v1/allocations/{allocation_id}/resume": {"reason": "mine"},
    "/api/v1/allocations/{allocation_id}/close": {"reason": "mine"},
    "/api/v1/allocations/{allocation_id}/hold-policy": {"hold_policy": "rolling", "reason": "mine"},
    "/api/v1/allocations/{allocation_id}/carry-over": {"target": str(UUID(int=1)), "reason": "mine"},
    "/api/v1/accounting/months": {"month": "2026-01"},
    "/api/v1/accounting/discrepancies/{number}/decision": {"state": "explained", "reason": "mine"},
    "/api/v1/prices": {"items": [{"tres": "cpu", "rate_vnd_per_hour": 0}]},
    "/api/v1/prices/lists/{version}/retire": {"reason": "mine"},
    "/api/v1/prices/drafts": {"name": "mine"},
    "/api/v1/prices/drafts/{draft_id}": {
        "name": "mine",
        "items": [{"tres": "cpu", "rate_vnd_per_hour": 0}],
        "edition": 1,
    },
    "/api/v1/prices/drafts/{draft_id}/publish": {"edition": 1, "seen": 1},
    "/api/v1/subsidies": {"organisation": "chips-org", "basis_points": 1, "reason": "mine"},
    "/api/v1/subsidies/{rule_id}/end": {"reason": "mine"},
    "/api/v1/announcements": {"text_vi": "mine", "text_en": "mine", "ends_at": "2099-01-01T00:00:00Z"},
    "/api/v1/programmes": {"slug": "mine", "name": "Mine"},
    "/api/v1/limits": {"level": "project", "project": "chips", "kind": "jobs_running", "value": 0},
}
"""What is sent to endpoints that read JSON; it names the first tenant wherever it can."""


NOT_THERE = ("/sweep", "/corners", "/work-in/{account}")
"""Ends of routes that lead to nothing of the victim's: jobs of its template have neither page, and only
members work in a project. Both are tried as another tenant in tests/e2e/web."""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    reads_json: bool

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)(?::\w+)?}", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Victim:
    """Somebody with a job, files, a log and a token, and the values that name them in paths."""

    job_id: str
    parameters: dict[str, str]


PROBES = {"/healthz", "/readyz"}
"""They know nobody, and readiness looks for migrations, which the tables of these tests never saw."""


def routes_of(app: FastAPI) -> list[Route]:
    found = [route for route in _walk(app.routes, "") if route.path not in PROBES]
    assert len(found) > 40, "the walk over the router found too little to be true"
    return found


def _walk(routes: Iterable[Any], prefix: str) -> Iterator[Route]:
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _walk(route.original_router.routes, prefix + route.include_context.prefix)
        elif hasattr(route, "methods"):
            for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
                yield Route(method, prefix + route.path, getattr(route, "body_field", None) is not None)


@pytest.fixture
def victim(portal: Portal) -> Victim:
    services, member = portal.city.services, portal.city.chips.member
    spec = {
        "name": "skywalker-tapeout",
        "script": "#!/bin/sh\n# TOP-SECRET recipe\n",
        "inputs": [{"path": "top.v", "content": "module TOP-SECRET;\n"}],
    }
    with portal.client(member) as client:
        reply = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec})
        job_id = reply.json()["id"]
        regression = {"template": "rtl-regression", "parameters": {"name": "skywalker-nightly", "seeds": 2}}
        campaign_id = client.post("/api/v1/jobs", json={"project": "chips", **regression}).json()["id"]
    with services.reading() as session:
        job = get_job(session, member, UUID(job_id))
    home = prepare_workspace(services.settings.effective_workspace_root, job.workspace, job.spec)
    (home / "skywalker.gds").touch()
    (home / "waves.vcd").write_bytes(VCD.replace(b"module tb", b"module TOP-SECRET"))
    (home / f"slurm-{job_id}.out").write_text("skywalker: TOP-SECRET\n")
    shared = home.parents[1] / ".project" / "files"
    (shared / "skywalker").mkdir(parents=True)
    (shared / "top.v").write_text("module TOP-SECRET;\n")
    (shared / "waves.vcd").write_bytes(VCD.replace(b"module tb", b"module TOP-SECRET"))
    token = issue_token(services, member, name="skywalker token")
    request_id, attachment_id = ask_for_quota(portal)
    invitation_id, class_id = make_a_class(portal)
    parameters = {
        "job_id": job_id,
        "account": "chips",
        "project": "chips",
        "slug": "chips-org",
        "username": "chips-member",
        "token_id": str(token.id),
        "path": "top.v",
        "invitation_id": str(invitation_id),
        "class_id": str(class_id),
        "request_id": str(request_id),
        "attachment_id": str(attachment_id),
        "allocation_id": str(allocation_of(portal)),
        "case_id": str(ask_for_a_refund(portal, UUID(job_id))),
        "campaign_id": campaign_id,
        "service": make_a_service_account(portal),
    }
    return Victim(job_id, parameters)


def make_a_service_account(portal: Portal) -> str:
    """With a purpose that nobody else may read."""
    new = NewService("ci", "skywalker nightly")
    return create_service(portal.city.services, portal.city.chips.lead, "chips", new)


def allocation_of(portal: Portal) -> UUID:
    with portal.city.services.engine.connect() as connection:
        mine = select(col(Allocation.id)).where(col(Allocation.project_id) == portal.city.chips.project_id)
        found: UUID = connection.execute(mine.limit(1)).scalar_one()
    return found


def ask_for_a_refund(portal: Portal, job_id: UUID) -> UUID:
    """An open case; written down, since the job has not run."""
    case = {
        "id": new_id(),
        "job_id": job_id,
        "raised_by": portal.city.chips.member.user_id,
        "raised_at": portal.city.services.clock.now(),
        "reason": "the TOP-SECRET skywalker never took off",
        "asked_percent": 100,
        "state": RefundCaseState.OPEN,
        "decision": "",
    }
    transact(
        portal.city.services.engine, lambda connection: connection.execute(insert(RefundCase).values(case))
    )
    found: UUID = case["id"]  # type: ignore[assignment]
    return found


def make_a_class(portal: Portal) -> tuple[UUID, UUID]:
    """An open invitation, and a class."""
    services, lead = portal.city.services, portal.city.chips.lead
    (invited,) = invite(services, lead, Invitees(["skywalker@x.vn"], "member", project="chips"))
    wanted = NewClass("chips", "skywalker course", [Share("chips-member", {"VND": 1000})])
    return invited.id, make_class(services, lead, wanted, key="tenancy").id


def ask_for_quota(portal: Portal) -> tuple[UUID, UUID]:
    """A submitted request with a file."""
    services, lead = portal.city.services, portal.city.chips.lead
    now = services.clock.now()
    wanted = WantedQuota(
        RequestKind.NEW, {"VND": 1000}, now, now + timedelta(days=30), "the TOP-SECRET skywalker"
    )
    request_id = draft_request(services, lead, "chips", wanted)
    attachment_id = add_attachment(services, lead, request_id, name="plan.txt", content=b"TOP-SECRET plan")
    submit_request(services, lead, request_id)
    return request_id, attachment_id


def url_of(route: Route, victim: Victim) -> str:
    values = {**PUBLIC_PARAMETERS, **victim.parameters}
    for name in route.parameters:
        if name not in values:
            pytest.fail(
                f"{route} has the path parameter {name!r}. Add its value for the first tenant to `victim` "
                f"in {__file__}, or to PUBLIC_PARAMETERS when it names nothing of a tenant."
            )
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: values[found[1]], route.path)


def names_the_victim(route: Route, victim: Victim) -> bool:
    return any(name in victim.parameters for name in route.parameters)


def query_of(route: Route, victim: Victim) -> dict[str, str]:
    """A query that names the first tenant wherever the route could take a name."""
    query = {"project": "chips", "user": "chips-member", "owner": "chips-member", "id": victim.job_id}
    if route.path.endswith(("/files/content", "/preview")):
        query["path"] = victim.parameters["path"]
    if route.path.endswith("/uploads/{upload_id}"):
        query |= {"path": victim.parameters["path"], "size_bytes": "1"}
    if route.path.endswith(("{account}/files", "{account}/delete", "{account}/rename")):
        is_file = route.method == "DELETE" or not route.path.endswith("files")
        query["path"] = victim.parameters["path"] if is_file else ""
    if route.path == "/live":
        query["job"] = victim.job_id
    if "/waves" in route.path:
        query |= {"path": "waves.vcd", "signals": "clk"}
    if route.path.endswith("/log/search"):
        query["search"] = "a"
    return query


def request_of(route: Route, victim: Victim) -> dict[str, Any]:
    """Query, body and headers that do so."""
    request: dict[str, Any] = {"params": query_of(route, victim), "headers": {"Idempotency-Key": "tenancy"}}
    if route.method == "GET":
        return request
    if route.reads_json and route.is_api:
        if route.path not in BODIES:
            pytest.fail(
                f"{route} reads JSON. Add a body that names the first tenant to BODIES in {__file__}."
            )
        body = BODIES[route.path]
        request["json"] = {**body, "job_ids": [victim.job_id]} if "job_ids" in body else body
    elif not route.is_api:
        request["data"] = {
            "project": "chips",
            "account": "chips",
            "username": "chips-member",
            "id": victim.job_id,
            "token_id": victim.parameters["token_id"],
            "role": "lead",
        }
    return request


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    location: str


def call(client: httpx.Client, route: Route, victim: Victim) -> Answer:
    """The answer; of a stream, what it tells within a second."""
    url, request = url_of(route, victim), request_of(route, victim)
    with client.stream(route.method, url, **request, timeout=httpx.Timeout(30, read=30)) as reply:
        if reply.headers.get("content-type", "").startswith("text/event-stream"):
            text = next(reply.iter_text())
        else:
            text = reply.read().decode(errors="replace")
    return Answer(reply.status_code, text, reply.headers.get("location", ""))


def leaks(answer: Answer) -> list[str]:
    return [secret for secret in SECRETS if secret in answer.text or secret in answer.location]


@contextmanager
def browser(portal: Portal, actor: Actor) -> Iterator[httpx.Client]:
    """A signed-in browser that sends its CSRF token, so that only tenancy can stand in its way."""
    secret = open_session(portal.city.services, actor.user_id)
    with portal.client(accept="text/html") as client:
        client.cookies.set("hpc_session", secret)
        page = client.get("/settings").text
        token = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert token
        client.headers["x-csrf-token"] = token[1]
        yield client


def rival_manager(portal: Portal) -> Actor:
    """The other tenant's most powerful person: manager of the organisation and lead of its project."""
    services, rivals = portal.city.services, portal.city.rivals
    transact(
        services.engine,
        lambda connection: connection.execute(
            update(OrganisationMember)
            .where(col(OrganisationMember.user_id) == rivals.lead.user_id)
            .values(role=OrganisationRole.MANAGER)
        ),
    )
    return actor_of(portal, rivals.lead.user_id)


def administrator(portal: Portal) -> Actor:
    services = portal.city.services
    values = {
        "id": new_id(),
        "username": "city",
        "display_name": "City",
        "email": "",
        "password_hash": "",
        "global_role": GlobalRole.ADMINISTRATOR,
        "cluster_user": "city",
        "cluster_number": 99,
        "locale": "en",
        "theme": "auto",
        "is_active": True,
        "created_at": GRANTED_AT,
    }
    transact(services.engine, lambda connection: connection.execute(insert(User).values(values)))
    return actor_of(portal, values["id"])  # type: ignore[arg-type]


def actor_of(portal: Portal, user_id: UUID) -> Actor:
    with Session(portal.city.services.engine) as session:
        actor = load_actor(session, user_id)
    assert actor
    return actor


def test_the_other_tenant_gets_nothing_from_any_endpoint(portal: Portal, victim: Victim) -> None:
    for actor in (portal.city.rivals.member, rival_manager(portal)):
        with portal.client(actor) as client:
            for route in filter(lambda route: route.is_api, routes_of(portal.app)):
                check_nothing_is_given(client, route, victim)


def test_the_other_tenant_gets_nothing_from_any_page(portal: Portal, victim: Victim) -> None:
    for actor in (portal.city.rivals.member, rival_manager(portal)):
        with browser(portal, actor) as client:
            pages = [route for route in routes_of(portal.app) if not route.is_api]
            for route in sorted(pages, key=lambda route: route.path == "/sign-out"):
                check_nothing_is_given(client, route, victim)


def check_nothing_is_given(client: httpx.Client, route: Route, victim: Victim) -> None:
    answer = call(client, route, victim)
    assert (str(route), leaks(answer)) == (str(route), [])
    if names_the_victim(route, victim):
        assert answer.status in {403, 404}, f"{route} answered {answer.status}: {answer.text[:500]}"
    else:
        assert answer.status < 500, f"{route} answered {answer.status}: {answer.text[:500]}"


def test_what_was_refused_to_others_is_there_for_an_administrator(portal: Portal, victim: Victim) -> None:
    """Holds the test itself to account: the paths above do lead to something."""
    admin = administrator(portal)
    with portal.client(admin) as client, browser(portal, admin) as pages:
        for route in routes_of(portal.app):
            if route.path.endswith(NOT_THERE):
                continue
            if route.method == "GET" and names_the_victim(route, victim):
                answer = call(client if route.is_api else pages, route, victim)
                leads_on = answer.status == 303 and answer.location.startswith("/jobs/")
                assert answer.status == 200 or leads_on, (
                    f"{route} answered {answer.status}: {answer.text[:500]}"
                )


def test_the_owner_sees_the_names_that_others_do_not(portal: Portal, victim: Victim) -> None:
    with portal.client(portal.city.chips.member) as client:
        found = client.get("/api/v1/jobs").text + client.get("/api/v1/me").text
        found += client.get(f"/api/v1/jobs/{victim.job_id}/log").text
        found += client.get("/api/v1/projects/chips/members").text
    assert [secret for secret in SECRETS if secret not in found] == []


def test_strangers_are_told_to_sign_in(portal: Portal, victim: Victim) -> None:
    with portal.client() as api, portal.client(accept="text/html") as pages:
        for route in routes_of(portal.app):
            if route.is_api and (route.method, route.path) not in PUBLIC_API:
                answer = call(api, route, victim)
                assert (str(route), answer.status) == (str(route), 401)
            elif not route.is_api and not PUBLIC_PAGES.match(route.path):
                answer = call(pages, route, victim)
                assert answer.status in {303, 401}, f"{route} answered {answer.status}"
                assert answer.status == 401 or answer.location.startswith("/sign-in"), route
            else:
                answer = call(api, route, victim)
            assert (str(route), leaks(answer)) == (str(route), [])


def test_a_route_that_this_test_does_not_know_fails_it_with_advice() -> None:
    victim = Victim("", {})
    with pytest.raises(pytest.fail.Exception, match="Add its value for the first tenant"):
        url_of(Route("GET", "/api/v1/shares/{share_id}", reads_json=False), victim)
    with pytest.raises(pytest.fail.Exception, match="Add a body that names the first tenant"):
        request_of(Route("POST", "/api/v1/shares", reads_json=True), victim)
