"""Every page of the site with somebody who sees it, and what has to be there so that it is worth seeing."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

import workloads.site
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import transact
from hpc_portal.app.files.shared_folder import shared_folder
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.prices.draft import draft_prices
from hpc_portal.app.requests.checks import WantedQuota, first_today
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.app.service_accounts.create import NewService, create_service
from hpc_portal.app.service_accounts.tokens import issue_service_token
from hpc_portal.app.services import Services
from hpc_portal.app.templates.publish import publish_template
from hpc_portal.app.tenants.invite import Invitees, invite
from hpc_portal.app.tenants.make_class import NewClass, make_class
from hpc_portal.app.tenants.seats import Share
from quotas.discrepancies import Finding, report
from quotas.money import VND
from quotas.tables import Allocation
from quotas.usage_tables import DiscrepancyKind
from tests.e2e.web.city import City
from tests.e2e.web.points import add_corners, add_sweep
from tests.small_waves import VCD

LEAD = "linh"
ADMINISTRATOR = "thanhpho"
NEWCOMER = "lan"
"""Belongs to no project and has done nothing yet."""
NOBODY = None
_DAYS = 40


@dataclass(frozen=True)
class Look:
    """An address of a page, and who looks at it."""

    route: str
    user: str | None
    address: str


NO_PAGES = {
    "/jobs/rows": "more rows for the list of jobs",
    "/live": "a stream",
    "/jobs/{job_id}/log/live": "a stream",
    "/jobs/{job_id}/log/lines": "more lines of a log",
    "/jobs/{job_id}/files/{path:anypath}": "a file",
    "/jobs/{job_id}/script/file": "a file",
    "/jobs/{job_id}/zip": "a file",
    "/projects/{account}/files/{path:anypath}": "a file",
    "/projects/{account}/zip": "a file",
    "/files": "leads on to a project's files",
    "/campaigns/{campaign_id}/matrix": "data for the matrix",
    "/campaigns/{campaign_id}/changes": "a stream",
    "/campaigns/{campaign_id}/task": "leads on to a task's page",
    "/campaigns/{campaign_id}/export": "a file",
    "/campaigns/{campaign_id}/history/export": "a file",
    "/submit/{name}/sent": "data for the draft",
    "/requests/{request_id}/attachments/{attachment_id}": "a file",
    "/help/guide": "leads to the guide's first part",
    "/language/{code}": "leads back",
    "/sign-in/identity": "leads to the identity provider: test_identity.py",
    "/sign-in/identity/back": "leads on: test_identity.py",
    "/sign-in/code": "between password and code only: test_identity.py",
    "/work-in/{account}": "leads back",
    "/theme/{name}": "leads back",
    "/open-data": "there only where a city publishes them: test_reports.py",
}
"""Addresses that no reader opens as a page."""


def furnish(city: City, services: Services) -> list[Look]:
    """Make what the city's pages need to be full, by the portal's own verbs; then where to look."""
    lead = _actor(services, city, LEAD)
    campaign = asyncio.run(submit_job(services, lead, _REGRESSION)).job_id
    request = _request(services, lead)
    draft = draft_prices(services, OPERATOR, name="Quý tới")
    document = (Path(workloads.site.__file__).parent / "examples/vcs.toml").read_text("utf-8")
    published = publish_template(services, OPERATOR, document.replace("VCSRuntime_Net", "vcs"))
    until = datetime.now(UTC) + timedelta(days=_DAYS)
    students = [Share(f"sinh.vien{number}@sao-bien.example") for number in range(1, 4)]
    course = NewClass("npu-verif", "Thiết kế vi mạch số", students, {VND: 100_000, "cpu": 36_000}, until)
    term = make_class(services, lead, course, key="every-page").id
    robot = create_service(services, lead, "npu-verif", NewService("ci", "Hồi quy hằng đêm"))
    issue_service_token(services, lead, "npu-verif", robot, name="GitLab")
    [invited] = invite(services, lead, Invitees(["moi@sao-bien.example"], "member", project="npu-verif"))
    transact(services.engine, lambda connection: report(connection, [_FOUND], at=datetime.now(UTC)))
    with services.engine.connect() as connection:
        own = select(col(Allocation.id)).where(col(Allocation.project_id) == city.projects["npu-verif"])
        allocation = connection.execute(own).scalar_one()
    admin = "/admin/templates/{name}"
    return [
        Look("/sign-in", NOBODY, "/sign-in"),
        Look("/reports", LEAD, "/reports?by=day&by=user"),
        Look("/invitations/{secret}", NOBODY, invited.link[invited.link.index("/invitations/") :]),
        *(
            Look(path, LEAD, path)
            for path in (
                *("/", "/jobs", "/campaigns", "/submit", "/quota", "/allocations", "/refunds", "/licenses"),
                *(
                    "/limits",
                    "/requests",
                    "/requests/new",
                    "/reports",
                    "/reports/waste",
                    "/reports/statement",
                ),
                *("/reports/utilisation", "/reports/forecast", "/clusters", "/organisations", "/prices"),
                *("/menu", "/find", "/notices", "/settings", "/settings/webhook", "/help"),
            )
        ),
        *(Look(path, NEWCOMER, path) for path in ("/", "/jobs", "/submit", "/quota")),
        *(
            Look(path, ADMINISTRATOR, path)
            for path in (
                *(
                    "/",
                    "/admin",
                    "/admin/drift",
                    "/admin/announcements",
                    "/requests/inbox",
                    "/reports/idle-grants",
                    "/admin/organisations",
                    "/admin/projects",
                ),
                *(
                    "/admin/prices",
                    "/admin/prices/end-rules",
                    "/admin/audit",
                    "/admin/books",
                    "/admin/templates",
                    "/admin/service-accounts",
                    "/admin/people",
                ),
            )
        ),
        *(
            Look(path, ADMINISTRATOR, path)
            for path in ("/admin/organisations/new", "/admin/projects/new", "/admin/people/new")
        ),
        Look("/admin/people/{username}/access", ADMINISTRATOR, f"/admin/people/{LEAD}/access"),
        Look("/allocations/new", ADMINISTRATOR, "/allocations/new?project=npu-verif"),
        *(Look("/submit/{name}", LEAD, f"/submit/{name}") for name in ("script", "rtl-regression")),
        Look("/translate", LEAD, "/translate"),
        *(
            Look(f"/jobs/{{job_id}}{tab}", LEAD, f"/jobs/{city.jobs[job]}{tab}")
            for job, tabs in _JOBS.items()
            for tab in tabs
        ),
        Look(
            "/jobs/{job_id}/preview", LEAD, f"/jobs/{city.jobs['digits-training']}/preview?path=metrics.jsonl"
        ),
        Look("/jobs/{job_id}/waves", LEAD, _waveform(city)),
        Look("/jobs/{job_id}/sweep", LEAD, f"/jobs/{add_sweep(city)}/sweep"),
        Look("/jobs/{job_id}/corners", LEAD, f"/jobs/{add_corners(city)}/corners"),
        Look("/jobs/again", LEAD, f"/jobs/again?id={city.jobs['digits-training']}"),
        *(
            Look(f"/campaigns/{{campaign_id}}{tab}", LEAD, f"/campaigns/{campaign}{tab}")
            for tab in ("", "/results", "/history")
        ),
        Look("/settings/email/{secret}", LEAD, "/settings/email/guessed"),
        Look("/help/guide/{part}", LEAD, "/help/guide/submit"),
        Look("/clusters/{cluster}", LEAD, "/clusters/danang"),
        Look("/allocations/{allocation_id}", LEAD, f"/allocations/{allocation}"),
        Look("/requests/{request_id}", ADMINISTRATOR, f"/requests/{request}"),
        Look("/requests/{request_id}/edit", LEAD, f"/requests/{_draft(services, lead)}/edit"),
        *(
            Look(f"/organisations/{{slug}}{tab}", ADMINISTRATOR, f"/organisations/sao-bien{tab}")
            for tab in ("", "/members", "/usage")
        ),
        *(
            Look(f"/projects/{{account}}{tab}", LEAD, f"/projects/npu-verif{tab}")
            for tab in (
                *(
                    "",
                    "/members",
                    "/service-accounts",
                    "/usage",
                    "/charges",
                    "/limits",
                    "/requests",
                    "/classes",
                    "/storage",
                    "/files",
                ),
            )
        ),
        *(
            Look(f"/projects/{{account}}/{page}", LEAD, f"/projects/npu-verif/{page}?path={_share(city)}")
            for page in ("preview", "rename", "delete")
        ),
        Look(
            "/projects/{account}/waves",
            LEAD,
            f"/projects/npu-verif/waves?path={_share(city, 'top.vcd', VCD)}",
        ),
        Look("/projects/{account}/classes/new", LEAD, "/projects/npu-verif/classes/new"),
        Look("/classes/{class_id}", LEAD, f"/classes/{term}"),
        Look("/admin/prices/drafts/{draft_id}", ADMINISTRATOR, f"/admin/prices/drafts/{draft}"),
        Look(admin, ADMINISTRATOR, f"/admin/templates/{published.name}"),
        Look(f"{admin}/{{version}}", ADMINISTRATOR, f"/admin/templates/{published.name}/1"),
    ]


_REGRESSION = SubmitRequest(
    project="npu-verif",
    template="rtl-regression",
    parameters={"name": "nightly", "tests": ["random", "burst"], "seeds": 8},
)
_JOBS = {
    "fifo-regression": ("", "/log", "/files", "/cost", "/script", "/events"),
    "digits-training": ("", "/metrics", "/utilisation"),
    "axi-formal": ("", "/log"),
    "npu-synth": ("",),
}
"""Tabs by job: one that runs as an array, one with curves, one that failed, one that waits."""
_FOUND = Finding(
    DiscrepancyKind.UNKNOWN_ACCOUNT,
    "unknown_account:danang:chipx:an",
    {"cluster": "danang", "account": "chipx", "cluster_user": "an", "runs": 12, "why": "No such project."},
)


def _share(city: City, name: str = "top.v", content: bytes = b"module top; endmodule\n") -> str:
    """A file that the project's people share."""
    folder = shared_folder(organisation="sao-bien", account="npu-verif")
    file = city.settings.effective_workspace_root / folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file.name


def _waveform(city: City) -> str:
    """The page of one that is put beside what a job left."""
    (city.workspaces["fifo-regression"] / "random-1.vcd").write_bytes(VCD)
    return f"/jobs/{city.jobs['fifo-regression']}/waves?path=random-1.vcd&at=25"


def _actor(services: Services, city: City, username: str) -> Actor:
    with services.reading() as session:
        found = load_actor(session, city.users[username])
    assert found
    return found


def _request(services: Services, actor: Actor) -> UUID:
    request_id = _draft(services, actor, key="submitted")
    submit_request(services, actor, request_id)
    return request_id


def _draft(services: Services, actor: Actor, key: str = "draft") -> UUID:
    begin = first_today(datetime.now(UTC))
    lines = {"gres/gpu:h100": 200 * 3600, VND: 2_000_000}
    wanted = WantedQuota(RequestKind.NEW, lines, begin, begin + timedelta(days=_DAYS), "Kiểm chứng lần cuối.")
    return draft_request(services, actor, "npu-verif", wanted, key=f"every-page-{key}")
