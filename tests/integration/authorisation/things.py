"""What the people of the matrix meet: one of everything that belongs to a tenant or to the city."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app import cluster_views
from hpc_portal.app.db import transact
from hpc_portal.app.files.workspace import prepare_workspace
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.tenants.invite import Invitees, invite
from quotas.usage_tables import DiscrepancyKind, DiscrepancyRow, DiscrepancyState
from schedulers.cluster import License
from tests.in_process import Call
from tests.integration.api.conftest import Portal
from tests.integration.api.test_site_templates import DOCUMENT
from tests.integration.api.test_tenancy import (
    allocation_of,
    ask_for_a_refund,
    ask_for_quota,
    make_a_class,
)
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.city import Stage
from tests.small_city import cluster
from tests.small_waves import VCD

SECRETS = ("skywalker", "TOP-SECRET", "Chips first silicon")
"""Names and contents that only the project's people, its organisation's managers and the city may see."""

JOB = {
    "name": "skywalker-tapeout",
    "script": "#!/bin/sh\n# TOP-SECRET recipe\n",
    "inputs": [{"path": "top.v", "content": "module TOP-SECRET;\n"}],
}


def bring_things(stage: Stage) -> dict[str, str]:
    """Make them, each by whoever may; returns what stands for them in addresses."""
    city, services = stage.city, stage.city.services
    portal = Portal(city, "", stage.app)
    licensed = replace(cluster(), licenses=(License("vcs", 5),))
    transact(services.engine, lambda connection: cluster_views.save(connection, licensed))
    services.forget_clusters()
    found = _jobs(stage) | _of_the_city(stage)
    request_id, attachment_id = ask_for_quota(portal)
    invitation_id, class_id = make_a_class(portal)
    invitees = Invitees(["guest@x.vn"], "member", project=city.chips.account)
    (invited,) = invite(services, city.chips.lead, invitees)
    return found | {
        "account": city.chips.account,
        "project": city.chips.account,
        "slug": "chips-org",
        "username": city.chips.member.username,
        "token_id": make(stage, Person.OWNER, "/api/v1/tokens", {"name": "skywalker token"})["id"],
        "session_id": _session_of(stage),
        "path": "top.v",
        "upload_id": str(UUID(int=1)),
        "request_id": str(request_id),
        "attachment_id": str(attachment_id),
        "invitation_id": str(invitation_id),
        "secret": invited.link.rpartition("/")[2],
        "class_id": str(class_id),
        **_service_account(stage),
        "seat": stage.call(Person.LEAD, Call("GET", f"/api/v1/classes/{class_id}")).json()["seats"][0][
            "account"
        ],
        "allocation_id": str(allocation_of(portal)),
        "case_id": str(ask_for_a_refund(portal, UUID(found["job_id"]))),
    }


def _jobs(stage: Stage) -> dict[str, str]:
    """A job with files and a log, a campaign, and a kept filter."""
    services, owner = stage.city.services, stage.actors[Person.OWNER]
    job_id = _submit(stage, {"spec": JOB})
    regression = {"template": "rtl-regression", "parameters": {"name": "skywalker-nightly", "seeds": 2}}
    with services.reading() as session:
        job = get_job(session, owner, UUID(job_id))
    home = prepare_workspace(services.settings.effective_workspace_root, job.workspace, job.spec)
    (home / "skywalker.gds").touch()
    (home / "waves.vcd").write_bytes(VCD.replace(b"module tb", b"module TOP-SECRET"))
    (home / f"slurm-{job_id}.out").write_text("skywalker: TOP-SECRET\n")
    shared = home.parents[1] / ".project" / "files"
    (shared / "skywalker").mkdir(parents=True)
    (shared / "top.v").write_text("module TOP-SECRET;\n")
    shutil.copy(home / "waves.vcd", shared)
    view = Call("PUT", "/api/v1/job-views/night", json={"project": "chips"})
    assert stage.call(Person.OWNER, view).status == 200
    return {
        "job_id": job_id,
        "campaign_id": _submit(stage, regression),
        "sweep": _submit(stage, {"template": "training-sweep", "parameters": {"name": "skywalker-sweep"}}),
        "corners": _submit(stage, {"template": "spice", "parameters": {"name": "skywalker-corners"}}),
    }


def _submit(stage: Stage, body: Mapping[str, Any]) -> str:
    return str(make(stage, Person.OWNER, "/api/v1/jobs", {"project": "chips", **body})["id"])


def make(stage: Stage, person: Person, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Have somebody make something."""
    answer = stage.call(person, Call("POST", path, headers={"Idempotency-Key": str(new_id())}, json=body))
    assert answer.status in {200, 201, 202, 204}, f"{path}: {answer.text}"
    return answer.json() if answer.content else None


def _service_account(stage: Stage) -> dict[str, str]:
    """One for which the lead answers, with a token."""
    path = "/api/v1/projects/chips/service-accounts"
    made = make(stage, Person.LEAD, path, {"name": "ci", "purpose": "the TOP-SECRET nightly run"})
    service = str(made["username"])
    token = make(stage, Person.LEAD, f"{path}/{service}/tokens", {"name": "runner"})
    return {"service": service, "service_token": str(token["id"])}


def _of_the_city(stage: Stage) -> dict[str, str]:
    """An announcement, prices to come, a draft, a subsidy, a programme, a template, a discrepancy."""

    def by_city(path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        return make(stage, Person.ADMINISTRATOR, f"/api/v1{path}", body)

    until = "2099-01-01T00:00:00Z"
    soon = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    announced = by_city("/announcements", {"text_vi": "Bảo trì", "text_en": "Maintenance", "ends_at": soon})
    items = [{"tres": "cpu", "rate_vnd_per_hour": 1}]
    prices = by_city("/prices", {"items": items, "valid_from": until})
    draft = by_city("/prices/drafts", {"name": "next year"})
    by_city("/programmes", {"slug": "chip-design", "name": "Chip design"})
    rule = by_city("/subsidies", {"organisation": "chips-org", "basis_points": 10, "reason": "start-up"})
    by_city("/site-templates", {"document": DOCUMENT})
    number = transact(stage.city.services.engine, _discrepancy)
    return {
        "announcement_id": announced["id"],
        "version": str(prices["version"]),
        "draft_id": str(draft["id"]),
        "rule_id": str(rule["id"]),
        "programme": "chip-design",
        "number": str(number),
    }


def _discrepancy(connection: Connection) -> int:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    row = {"kind": DiscrepancyKind.LEDGER, "key": "matrix", "facts": {}, "found_at": at, "seen_at": at}
    connection.execute(insert(DiscrepancyRow).values(**row, state=DiscrepancyState.OPEN))
    return connection.execute(select(col(DiscrepancyRow.id))).scalar_one() or 0


def _session_of(stage: Stage) -> str:
    sessions = stage.call(Person.OWNER, Call("GET", "/api/v1/sessions")).json()
    return str(sessions["items"][0]["id"])
