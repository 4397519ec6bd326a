"""Every page has a twin in the API: the operations that give a script what the page gives a reader.

A new page without a row here fails, and so does a row that names an operation that is not there.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from hpc_portal.api import routes
from hpc_portal.web import pages

TWINS: Mapping[str, str] = {
    "/": "GET /overview",
    "/admin": "GET /attention",
    "/admin/announcements": "GET /announcements/all",
    "/admin/audit": "GET /audit",
    "/admin/books": "GET /accounting/months, GET /accounting/discrepancies, GET /accounting/checks",
    "/admin/drift": "GET /clusters/{name}/drift",
    "/admin/organisations": "GET /tenants",
    "/admin/organisations/new": "POST /organisations",
    "/admin/people": "GET /users",
    "/admin/people/new": "POST /users, PUT /organisations/{slug}/members/{username}",
    "/admin/people/{username}/access": "GET /users, GET /cluster-accounts",
    "/admin/prices": "GET /prices/lists, GET /prices/drafts, GET /subsidies, GET /programmes",
    "/admin/prices/drafts/{draft_id}": "GET /prices/drafts/{draft_id}",
    "/admin/prices/end-rules": "GET /end-rules",
    "/admin/projects": "GET /tenants/projects",
    "/admin/projects/new": "POST /projects, PUT /projects/{account}/members/{username}",
    "/admin/service-accounts": "GET /service-accounts",
    "/admin/templates": "GET /site-templates",
    "/admin/templates/{name}": "GET /site-templates/{name}",
    "/admin/templates/{name}/{version}": "GET /site-templates/{name}",
    "/allocations": "GET /allocations",
    "/allocations/new": "POST /projects/{account}/grants",
    "/allocations/{allocation_id}": "GET /allocations/{allocation_id}",
    "/campaigns": "GET /campaigns",
    "/campaigns/{campaign_id}": "GET /campaigns/{campaign_id}, GET /campaigns/{campaign_id}/failures",
    "/campaigns/{campaign_id}/changes": "GET /events/stream",
    "/campaigns/{campaign_id}/export": "GET /campaigns/{campaign_id}/export",
    "/campaigns/{campaign_id}/history": "GET /campaigns/{campaign_id}/history",
    "/campaigns/{campaign_id}/history/export": "GET /campaigns/{campaign_id}/history/export",
    "/campaigns/{campaign_id}/matrix": "GET /campaigns/{campaign_id}",
    "/campaigns/{campaign_id}/results": "GET /campaigns/{campaign_id}/results",
    "/campaigns/{campaign_id}/task": "GET /campaigns/{campaign_id}",
    "/classes/{class_id}": "GET /classes/{class_id}",
    "/clusters": "GET /clusters",
    "/clusters/{cluster}": "GET /clusters/{cluster}/nodes, GET /clusters/{cluster}/queue",
    "/files": "GET /projects, GET /projects/{account}/files",
    "/find": "GET /search",
    "/invitations/{secret}": "POST /invitations/look",
    "/jobs": "GET /jobs",
    "/jobs/again": "POST /jobs/run-again/estimate",
    "/jobs/rows": "GET /jobs",
    "/jobs/{job_id}": "GET /jobs/{job_id}, GET /jobs/{job_id}/tasks",
    "/jobs/{job_id}/corners": "GET /jobs/{job_id}/corners",
    "/jobs/{job_id}/cost": "GET /jobs/{job_id}/cost, GET /jobs/{job_id}/refunds",
    "/jobs/{job_id}/events": "GET /jobs/{job_id}/events, GET /jobs/{job_id}/changes",
    "/jobs/{job_id}/files": "GET /jobs/{job_id}/files",
    "/jobs/{job_id}/files/{path:anypath}": "GET /jobs/{job_id}/files/content",
    "/jobs/{job_id}/log": "GET /jobs/{job_id}/log, GET /jobs/{job_id}/log/search",
    "/jobs/{job_id}/log/lines": "GET /jobs/{job_id}/log",
    "/jobs/{job_id}/log/live": "GET /jobs/{job_id}/log/stream",
    "/jobs/{job_id}/metrics": "GET /jobs/{job_id}/results",
    "/jobs/{job_id}/preview": "GET /jobs/{job_id}/files/preview",
    "/jobs/{job_id}/script": "GET /jobs/{job_id}/script",
    "/jobs/{job_id}/script/file": "GET /jobs/{job_id}/script",
    "/jobs/{job_id}/sweep": "GET /jobs/{job_id}/sweep",
    "/jobs/{job_id}/utilisation": "GET /jobs/{job_id}/efficiency, GET /jobs/{job_id}/utilisation",
    "/jobs/{job_id}/waves": "GET /jobs/{job_id}/waves, GET /jobs/{job_id}/waves/window",
    "/jobs/{job_id}/zip": "GET /jobs/{job_id}/files/zip",
    "/licenses": "GET /licenses",
    "/limits": "GET /projects/{account}/limits, GET /limits",
    "/live": "GET /events/stream",
    "/notices": "GET /notices",
    "/open-data": "GET /open-data",
    "/organisations": "GET /organisations",
    "/organisations/{slug}": "GET /organisations/{slug}, GET /organisations/{slug}/overview",
    "/organisations/{slug}/members": (
        "GET /organisations/{slug}/members, GET /organisations/{slug}/invitations"
    ),
    "/organisations/{slug}/usage": "GET /reports/usage",
    "/prices": "GET /prices/history, GET /prices/at, GET /subsidies",
    "/projects/{account}": "GET /projects/{account}/overview, GET /projects/{account}/details",
    "/projects/{account}/service-accounts": "GET /projects/{account}/service-accounts",
    "/projects/{account}/charges": "GET /projects/{account}/charges",
    "/projects/{account}/classes": "GET /projects/{account}/classes",
    "/projects/{account}/classes/new": "POST /projects/{account}/classes",
    "/projects/{account}/delete": "DELETE /projects/{account}/files",
    "/projects/{account}/files": "GET /projects/{account}/files",
    "/projects/{account}/files/{path:anypath}": "GET /projects/{account}/files/content",
    "/projects/{account}/limits": "GET /projects/{account}/limits",
    "/projects/{account}/members": "GET /projects/{account}/members, GET /projects/{account}/invitations",
    "/projects/{account}/preview": "GET /projects/{account}/files/preview",
    "/projects/{account}/rename": "POST /projects/{account}/files/moves",
    "/projects/{account}/requests": "GET /requests",
    "/projects/{account}/storage": "GET /projects/{account}/storage",
    "/projects/{account}/usage": "GET /reports/usage",
    "/projects/{account}/waves": "GET /projects/{account}/waves/window",
    "/projects/{account}/zip": "GET /projects/{account}/files/zip",
    "/quota": "GET /projects/{account}/balance, GET /projects/{account}/storage",
    "/refunds": "GET /refund-cases",
    "/reports": "GET /reports/usage",
    "/reports/forecast": "GET /reports/forecast",
    "/reports/idle-grants": "GET /reports/idle-grants",
    "/reports/statement": "GET /reports/statements/{month}",
    "/reports/utilisation": "GET /reports/utilisation",
    "/reports/waste": "GET /reports/waste",
    "/requests": "GET /requests",
    "/requests/inbox": "GET /requests/inbox",
    "/requests/new": "POST /requests, POST /requests/from-shortage",
    "/requests/{request_id}": "GET /requests/{request_id}, GET /requests/{request_id}/outlook",
    "/requests/{request_id}/attachments/{attachment_id}": (
        "GET /requests/{request_id}/attachments/{attachment_id}"
    ),
    "/requests/{request_id}/edit": "PUT /requests/{request_id}",
    "/settings/email/{secret}": "POST /me/email/confirm",
    "/settings": "GET /me, GET /tokens, GET /sessions, GET /notices/choices",
    "/settings/webhook": "GET /webhook, GET /webhook/deliveries",
    "/submit": "GET /templates",
    "/submit/{name}": "GET /templates/{name}, GET /templates/{name}/size, POST /jobs/estimate",
    "/translate": "POST /scripts/translate",
}
"""By the page's route: the operations below /api/v1."""

NO_DATA = {
    "/sign-in": "a form; its twin signs in: POST /tokens/sign-in",
    "/sign-in/code": "the second step of the same form",
    "/sign-in/identity": "leads to the identity provider",
    "/sign-in/identity/back": "comes back from the identity provider",
    "/help": "addresses of the guide",
    "/help/guide": "the guide that comes with the portal",
    "/help/guide/{part}": "the guide that comes with the portal",
    "/menu": "addresses of pages",
    "/language/{code}": "a choice of this browser",
    "/theme/{name}": "a choice of this browser",
    "/work-in/{account}": "a choice of this browser",
    "/submit/{name}/sent": "the draft that this browser keeps",
}
"""Pages that tell nothing of the portal's."""


def page_routes() -> set[str]:
    return {
        route.path
        for module in pages.ROUTERS
        for route in module.router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    }


@pytest.fixture(scope="module")
def operations() -> Mapping[str, Mapping[str, Any]]:
    app = FastAPI()
    routes.install(app)
    paths: Mapping[str, Mapping[str, Any]] = app.openapi()["paths"]
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, found in paths.items()
        for method, operation in found.items()
    }


def test_every_page_has_a_twin_in_the_api(operations: Mapping[str, Mapping[str, Any]]) -> None:
    assert page_routes() - {*TWINS, *NO_DATA} == set(), "pages that no operation has the data of"
    assert {*TWINS, *NO_DATA} - page_routes() == set(), "rows of pages that are gone"
    named = {one for row in TWINS.values() for one in row.split(", ")}
    assert named - set(operations) == set(), "operations that are not there"


def test_every_twin_has_a_model_and_says_what_it_gives(operations: Mapping[str, Mapping[str, Any]]) -> None:
    bare = []
    for name in sorted({one for row in TWINS.values() for one in row.split(", ")}):
        operation = operations[name]
        reply = next(reply for status, reply in operation["responses"].items() if status.startswith("2"))
        schemas = [media.get("schema") for media in reply.get("content", {}).values()]
        is_bodyless = "content" not in reply
        if not operation.get("description") or not (is_bodyless or all(schemas)):
            bare.append(name)
    assert bare == []
