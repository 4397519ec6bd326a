"""What administers people and money through the API has a form on a page, or says why it has none.

A new operation of these tags without a row here fails, and so does a row whose page takes no such form.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from hpc_portal.api import routes
from hpc_portal.web import pages
from hpc_portal.web.render import TEMPLATES

TAGS = {
    *("administration", "tenants", "invitations", "projects", "service accounts", "classes"),
    *("budgets", "requests", "limits", "licenses", "prices", "accounting", "announcements", "templates"),
}
"""The rest is one's own: jobs, files, settings, notices."""

FORMS: Mapping[str, str] = {
    "DELETE /announcements/{announcement_id}": "/admin/announcements/{announcement_id}/withdraw",
    "DELETE /invitations/{invitation_id}": "/invites/{invitation_id}/revoke",
    "DELETE /prices/drafts/{draft_id}": "/admin/prices/drafts/{draft_id}",
    "DELETE /programmes/{programme}/projects/{account}": "/admin/prices/programmes/{programme}",
    "DELETE /projects/{account}/service-accounts/{service}": (
        "/projects/{account}/service-accounts/{service}/end"
    ),
    "DELETE /projects/{account}/service-accounts/{service}/tokens/{token_id}": (
        "/projects/{account}/service-accounts/{service}/tokens/{token_id}/revoke"
    ),
    "DELETE /requests/{request_id}/attachments/{attachment_id}": (
        "/requests/{request_id}/attachments/{attachment_id}/remove"
    ),
    "DELETE /users/{username}/clusters/{cluster}": "/admin/people/{username}/clusters/{cluster}/remove",
    "PATCH /projects/{account}/service-accounts/{service}": (
        "/projects/{account}/service-accounts/{service}/change"
    ),
    "POST /accounting/discrepancies/{number}/decision": "/admin/books/{number}/decide",
    "POST /accounting/months": "/admin/books/close",
    "POST /allocations/{allocation_id}/carry-over": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/close": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/extend": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/hold-policy": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/increase": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/reduce": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/resume": "/allocations/{allocation_id}",
    "POST /allocations/{allocation_id}/suspend": "/allocations/{allocation_id}",
    "POST /announcements": "/admin/announcements",
    "POST /classes/{class_id}/end": "/classes/{class_id}/end",
    "POST /classes/{class_id}/students": "/classes/{class_id}/students",
    "POST /classes/{class_id}/students/{account}/give": "/classes/{class_id}/students/{account}/give",
    "POST /classes/{class_id}/students/{account}/remove": "/classes/{class_id}/students/{account}/remove",
    "POST /classes/{class_id}/students/{account}/take": "/classes/{class_id}/students/{account}/take",
    "POST /invitations/accept": "/invitations/{secret}/accept",
    "POST /invitations/{invitation_id}/resend": "/invites/{invitation_id}/resend",
    "POST /jobs/{job_id}/doubt": "/jobs/{job_id}/doubt",
    "POST /jobs/{job_id}/refunds": "/jobs/{job_id}/refunds",
    "POST /organisations": "/admin/organisations",
    "POST /organisations/{slug}/hand-over": "/organisations/{slug}/hand-over",
    "POST /organisations/{slug}/invitations": "/organisations/{slug}/invite",
    "POST /prices/drafts": "/admin/prices/drafts",
    "POST /prices/drafts/{draft_id}/publish": "/admin/prices/drafts/{draft_id}/publish",
    "POST /prices/lists/{version}/retire": "/admin/prices/lists/{version}/retire",
    "POST /programmes": "/admin/prices/programmes",
    "POST /projects": "/admin/projects",
    "POST /projects/{account}/classes": "/projects/{account}/classes",
    "POST /projects/{account}/grants": "/allocations",
    "POST /projects/{account}/hand-over": "/projects/{account}/hand-over",
    "POST /projects/{account}/invitations": "/projects/{account}/invite",
    "POST /projects/{account}/service-accounts": "/projects/{account}/service-accounts",
    "POST /projects/{account}/service-accounts/{service}/tokens": (
        "/projects/{account}/service-accounts/{service}/tokens"
    ),
    "POST /projects/{account}/service-accounts/{service}/tokens/{token_id}/rotate": (
        "/projects/{account}/service-accounts/{service}/tokens/{token_id}/rotate"
    ),
    "POST /projects/{account}/storage/measurements": "/projects/{account}/storage/measure",
    "POST /refund-cases/{case_id}/decision": "/refunds/{case_id}/decide",
    "POST /refund-cases/{case_id}/withdrawal": "/refunds/{case_id}/withdraw",
    "POST /requests": "/requests",
    "POST /requests/{request_id}/approve": "/requests/{request_id}/decide",
    "POST /requests/{request_id}/approve-partly": "/requests/{request_id}/decide",
    "POST /requests/{request_id}/attachments": "/requests/{request_id}/attachments",
    "POST /requests/{request_id}/deny": "/requests/{request_id}/decide",
    "POST /requests/{request_id}/return": "/requests/{request_id}/decide",
    "POST /requests/{request_id}/review": "/requests/{request_id}/decide",
    "POST /requests/{request_id}/submit": "/requests/{request_id}/submit",
    "POST /requests/{request_id}/withdraw": "/requests/{request_id}/withdraw",
    "POST /site-templates": "/admin/templates",
    "POST /site-templates/{name}/retire": "/admin/templates/{name}/retire",
    "POST /subsidies": "/admin/prices/subsidies",
    "POST /subsidies/{rule_id}/end": "/admin/prices/subsidies/{rule_id}/end",
    "POST /users": "/admin/people",
    "POST /users/{username}/second-factor/reset": "/admin/people/{username}/second-factor",
    "PUT /announcements/{announcement_id}/dismissal": "/announcements/{announcement_id}/dismiss",
    "PUT /end-rules/{state}": "/admin/prices/end-rules/{state}",
    "PUT /licenses/{feature}/reservations/{project}": "/licenses/reserve",
    "PUT /limits": "/limits",
    "PUT /organisations/{slug}/members/{username}": "/admin/people/{username}/organisations",
    "PUT /organisations/{slug}/state": "/organisations/{slug}/state",
    "PUT /prices/drafts/{draft_id}": "/admin/prices/drafts/{draft_id}",
    "PUT /programmes/{programme}/projects/{account}": "/admin/prices/programmes/{programme}",
    "PUT /projects/{account}/members/{username}": "/admin/people/{username}/projects",
    "PUT /projects/{account}/state": "/projects/{account}/state",
    "PUT /requests/{request_id}": "/requests/{request_id}/edit",
    "PUT /users/{username}/clusters/{cluster}": "/admin/people/{username}/clusters",
    "PUT /users/{username}/password": "/admin/people/{username}/password",
}
"""By the operation: where the page's form is sent."""

NO_FORM = {
    "POST /invitations/look": "the page of an invitation is opened, and changes nothing",
    "POST /prices": "for scripts; with a browser through a draft, which shows what would change",
    "POST /requests/from-shortage": "the form of a request is opened with what a refused job lacked",
    "POST /site-templates/check": "the form says the same without publishing what is wrong",
}


def operations() -> set[str]:
    app = FastAPI()
    routes.install(app)
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, found in app.openapi()["paths"].items()
        for method, operation in found.items()
        if method != "get" and TAGS.intersection(operation["tags"])
    }


def test_every_operation_of_administration_has_a_form() -> None:
    assert operations() - {*FORMS, *NO_FORM} == set(), "operations without a form; or say why they have none"
    assert {*FORMS, *NO_FORM} - operations() == set(), "rows of operations that are gone"


@pytest.fixture(scope="module")
def sent_to() -> set[str]:
    """Where the templates' forms and buttons are sent: without what differs between things."""
    texts = (path.read_text("utf-8") for path in Path(TEMPLATES).rglob("*.html"))
    return {address for text in texts for address in _addresses(text)}


def test_every_form_is_on_a_page_and_is_taken(sent_to: set[str]) -> None:
    taken = {
        route.path
        for module in pages.ROUTERS
        for route in module.router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    }
    assert set(FORMS.values()) - taken == set(), "pages that take no form"
    ends = {path: re.sub(r"{\w+}", "*", path) for path in FORMS.values()}
    unsent = {path for path, end in ends.items() if not any(_fits(one, end) for one in sent_to)}
    assert unsent == set(), "forms that no template has"


def _addresses(template: str) -> Iterator[str]:
    for address in re.findall(r'(?:action|hx-post)="((?:[^"{]|{{[^}]*}}|{%[^%]*%})*)"', template):
        for choice in re.split(r"{%[^%]*%}", address):
            yield re.sub(r"{{[^}]*}}", "*", choice)


def _fits(sent: str, wanted: str) -> bool:
    """A page's `home` stands for the beginning of an address."""
    if not sent or sent == "*":
        return False
    return wanted == sent or (sent.startswith("*") and wanted.endswith(sent.removeprefix("*")))
