"""What is sent to each route to try its decision: a request that goes through for whoever may send it."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from schedulers.units import CITY_TIME
from tests.in_process import Call
from tests.integration.api.test_site_templates import DOCUMENT
from tests.integration.api.test_tenancy import BODIES, PUBLIC_PARAMETERS, Route, Victim, query_of
from tests.integration.authorisation.people import PASSWORD

NAMES = {
    "/api/v1/job-views/": "night",
    "/api/v1/templates/": "script",
    "/api/v1/site-templates/": "simulate",
    "/api/v1/clusters/": "memory",
    "/admin/templates/": "simulate",
    "/submit/": "script",
    "/theme/": "dark",
}
"""What `name` is, by the beginning of the path."""

_NOW = datetime.now(CITY_TIME)
_FROM, _UNTIL = (str((_NOW + timedelta(days=days)).date()) for days in (2, 180))
_SOON = (_NOW + timedelta(days=30)).isoformat()
_PERIOD = {"valid_from": f"{_FROM}T00:00:00Z", "valid_to": f"{_UNTIL}T00:00:00Z"}
_QUOTA = {"lines": {"VND": 1}, "purpose": "a run", **_PERIOD}

GOING_THROUGH: Mapping[str, Any] = {
    "/api/v1/tokens/sign-in": {"username": "chips-member", "password": PASSWORD},
    "/api/v1/invitations/look": {"secret": "{secret}"},
    "/api/v1/invitations/accept": {"secret": "{secret}"},
    "/api/v1/announcements": {"text_vi": "a", "text_en": "a", "ends_at": _SOON},
    "/api/v1/site-templates": {"document": DOCUMENT.replace("Run.", "Go.")},
    "/api/v1/site-templates/check": {"document": DOCUMENT},
    "/api/v1/requests": {"project": "chips", **_QUOTA},
    "/api/v1/requests/{request_id}": _QUOTA,
    "/api/v1/allocations/{allocation_id}/carry-over": {"target": "{allocation_id}", "reason": "mine"},
    "/api/v1/prices/drafts/{draft_id}/publish": {"edition": 1, "seen": 2},
}
"""Bodies where those that test_tenancy sends would be refused to everybody."""

FORMS: Mapping[str, Mapping[str, str]] = {
    "/sign-in": {"username": "chips-member", "password": PASSWORD},
    "/licenses/reserve": {"feature": "vcs", "count": "1"},
    "/limits": {"level": "project", "kind": "jobs_running", "value": "1", "reason": "mine"},
    "/jobs/{job_id}/change": {"change": "hold"},
    "/jobs/{job_id}/doubt": {"decision": "end", "reason": "mine"},
    "/jobs/{job_id}/refunds": {"percent": "100", "reason": "mine"},
    "/jobs/release": {"change": "release"},
    "/jobs/views": {"name": "night", "query": "project=chips"},
    "/refunds/{case_id}/decide": {"percent": "100", "reason": "mine"},
    "/allocations": {
        "key": "00000000-0000-7000-8000-000000000001",
        "from_day": _FROM,
        "last_day": _UNTIL,
        "purpose": "mine",
        "amount.VND": "1",
    },
    "/allocations/{allocation_id}": {"deed": "suspend", "reason": "mine"},
    "/requests": {
        "kind": "new",
        "from_day": _FROM,
        "last_day": _UNTIL,
        "purpose": "mine",
        "amount.VND": "1",
    },
    "/requests/{request_id}/edit": {"kind": "new", "from_day": _FROM, "last_day": _UNTIL},
    "/requests/{request_id}/decide": {"deed": "deny", "message": "mine"},
    "/organisations/{slug}/invite": {"emails": "a@b.vn", "role": "manager"},
    "/organisations/{slug}/members/{username}": {"role": "manager"},
    "/organisations/{slug}/hand-over": {"successor": "colleague", "former": "chips-lead"},
    "/organisations/{slug}/state": {"state": "suspended", "reason": "mine"},
    "/projects/{account}/invite": {"emails": "a@b.vn"},
    "/projects/{account}/hand-over": {"successor": "colleague", "former": "chips-lead"},
    "/projects/{account}/state": {"state": "suspended", "reason": "mine"},
    "/projects/{account}/folders": {"name": "mine", "path": ""},
    "/projects/{account}/rename": {"path": "top.v", "to": "mine.v"},
    "/projects/{account}/delete": {"path": "top.v"},
    "/projects/{account}/classes": {"name": "Mine", "students": "chips-member"},
    "/classes/{class_id}/students": {"students": "colleague", "each.VND": "1"},
    "/admin/organisations": {"slug": "mine", "name": "Mine", "kind": "startup"},
    "/admin/projects": {"organisation": "chips-org", "account": "mine", "name": "Mine", "lead": "colleague"},
    "/admin/people": {
        "username": "mine",
        "display_name": "Mine",
        "role": "member",
        "organisation": "chips-org",
    },
    "/admin/people/{username}/organisations": {
        "organisation": "chips-org",
        "organisation_role": "manager",
        "organisation_seen": "member",
    },
    "/admin/people/{username}/projects": {
        "project": "chips",
        "project_role": "lead",
        "project_seen": "member",
    },
    "/admin/people/{username}/clusters": {"cluster": "memory", "cluster_user": "mine", "uid": "5000"},
    "/admin/prices/end-rules/{state}": {"charged": "no", "reason": "mine"},
    "/admin/prices/programmes": {"slug": "mine", "name": "Mine"},
    "/admin/books/close": {"month": "2026-01", "reason": "mine"},
    "/admin/books/{number}/decide": {"state": "explained", "reason": "mine"},
    "/submit/{name}": {"script": "#!/bin/sh\ntrue\n", "name": "mine"},
    "/projects/{account}/service-accounts": {"name": "nightly", "purpose": "mine", "days": "30"},
    "/projects/{account}/service-accounts/{service}/change": {"purpose": "mine", "days": "30"},
    "/projects/{account}/service-accounts/{service}/tokens": {"name": "mine", "days": "30", "scope": "jobs"},
    "/projects/{account}/service-accounts/{service}/tokens/{token_id}/rotate": {"overlap_hours": "1"},
    "/jobs/again/submit": {"key": "mine"},
    "/admin/prices/drafts": {"name": "mine"},
    "/admin/prices/drafts/{draft_id}": {"discard": "yes"},
    "/admin/prices/drafts/{draft_id}/publish": {"edition": "1", "seen": "2"},
    "/admin/prices/subsidies": {"organisation": "chips-org", "percent": "1", "reason": "mine"},
    "/translate": {"script": "#!/bin/sh\n#SBATCH --account=chips\ntrue\n"},
}
"""Fields of forms, by route, beside those that every form is sent."""

ABSENT = {
    "GET /sign-in/identity": 404,
    "GET /sign-in/identity/back": 404,
    "POST /sign-in/identity/logout": 404,
    "POST /settings/identity": 404,
    "GET /api/v1/clusters/{name}/drift": 404,
    "DELETE /api/v1/users/{username}/clusters/{cluster}": 404,
    "POST /admin/people/{username}/clusters/{cluster}/remove": 404,
    "DELETE /api/v1/webhook": 404,
    "POST /api/v1/webhook/secret": 404,
    "POST /api/v1/webhook/test": 404,
    "GET /submit/{name}/sent": 404,
    "POST /api/v1/me/email/confirm": 404,
    "POST /settings/email/{secret}": 404,
}
"""What whoever may is answered where this city has no such thing: an identity provider, a mirror of limits in
Slurm, a cluster with accounts of its own, a webhook, a job that was just sent, a link to a new address."""


def attempt(route: Route, parameters: Mapping[str, str]) -> Call:
    """The request; it names what belongs to the project wherever it can."""
    victim = Victim(parameters["job_id"], dict(parameters))
    path = _path(route, parameters)
    headers = {"Idempotency-Key": "matrix", "accept": "*/*" if route.is_api else "text/html"}
    query = query_of(route, victim) | ({"instant": _SOON} if route.path.endswith("/prices/at") else {})
    call = Call(route.method, path, query, headers)
    if route.method == "GET":
        return call
    if not route.is_api:
        form = {**_FORM, "id": victim.job_id, "token_id": parameters["token_id"], **FORMS.get(route.path, {})}
        return Call(call.method, path, call.query, headers, form=form)
    if route.path.endswith("/uploads/{upload_id}") or not route.reads_json:
        return Call(call.method, path, call.query, headers, content=b"x")
    return Call(call.method, path, call.query, headers, json=_body(route, parameters))


_FORM = {"project": "chips", "account": "chips", "username": "chips-member", "role": "lead"}


def _path(route: Route, parameters: Mapping[str, str]) -> str:
    name = next((value for start, value in NAMES.items() if route.path.startswith(start)), "")
    values = {**PUBLIC_PARAMETERS, **parameters} | ({"name": name} if name else {})
    if "{service}" in route.path:
        values["token_id"] = parameters["service_token"]
    if route.path.startswith("/admin/templates/"):
        values["version"] = "1"
    if "/students/{account}/" in route.path:
        values["account"] = parameters["seat"]
    for points in ("sweep", "corners"):
        if route.path.endswith(f"/{points}"):
            values["job_id"] = parameters[points]
    missing = [one for one in route.parameters if one not in values]
    if missing:
        pytest.fail(f"{route}: add what stands for {missing} to tests/integration/authorisation/things.py")
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: values[found[1]], route.path)


def _body(route: Route, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    if route.path in GOING_THROUGH:
        body = GOING_THROUGH[route.path]
    elif route.path in BODIES:
        body = BODIES[route.path]
    else:
        pytest.fail(f"{route} reads JSON: add a body to BODIES in tests/integration/api/test_tenancy.py")
    known = {f"{{{name}}}": value for name, value in parameters.items()}
    return _filled(body, known)


def _filled(value: Any, known: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """With `{job_id}` and the like replaced."""
    match value:
        case str():
            return known.get(value, value)
        case list():
            return [_filled(one, known) for one in value]
        case dict():
            return {key: _filled(one, known) for key, one in value.items()}
        case _:
            return value
