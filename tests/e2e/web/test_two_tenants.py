"""Two startups that compete, signed in at once in two browsers: nothing of the one is seen by the other."""

import json
import re
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select, update
from sqlmodel import col

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from hpc_portal.app.wiring import build_services
from schedulers.jobstate import JobState
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City
from tests.e2e.web.every_page import LEAD, Look, furnish

pytestmark = [pytest.mark.xdist_group("browser-two-tenants"), pytest.mark.timeout(600)]

RIVAL = "minh"
OWN = {"npu-verif": LEAD, "riscv-lab": RIVAL}
SAID = (
    *("Sao Biển", "sao-bien", "Kiểm chứng NPU", "npu-verif", "Thùy Linh", "linh@"),
    *("Kiểm chứng lần cuối.", "Thiết kế vi mạch số", "sinh.vien", "omega-tapeout", "val_acc", "sby: command"),
)
"""Names, purposes, addresses and file contents of Sao Biển that no page has a reason to say to others."""
RIVALS_SAID = (
    "Bách khoa",
    "bach-khoa",
    "riscv-lab",
    "RISC-V",
    "Quang Minh",
    "minh@",
    "secret-core",
    "SECRET tape",
)
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NAMES = re.compile(r"(?<=/)(npu-verif|sao-bien)(?=[/?]|$)")
LISTS = (
    "jobs",
    "campaigns",
    "projects",
    "organisations",
    "requests",
    "notices",
    "licenses",
    "clusters",
    "limits",
)
LISTEN = """async address => {
    window.heard = ''
    const answer = await fetch(address)
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    const hear = async () => {
        for (;;) { const { value, done } = await reader.read(); if (done) return; window.heard += value }
    }
    hear()
    return answer.status
}"""
UNTIL_HEARD = """word => new Promise(done => {
    const look = () => window.heard.includes(word) ? done(window.heard) : setTimeout(look, 50)
    look()
})"""


@pytest.fixture(scope="module", autouse=True)  # before Playwright, in whose thread no other loop may run
def looks(city: City) -> list[Look]:
    """Sao Biển has something of everything, and the rivals nothing but a job."""
    services = build_services(city.settings)
    try:
        return furnish(city, services)
    finally:
        services.commits.close()
        services.engine.dispose()


@pytest.fixture
def engine(city: City) -> Iterator[Engine]:
    opened = create_engine(city.settings.effective_database_url)
    yield opened
    opened.dispose()


def test_while_one_startup_works_the_other_sees_and_hears_nothing_of_it(
    open_page: OpenPage, city: City, engine: Engine, looks: list[Look]
) -> None:
    rival = open_page(user=RIVAL, locale="en", expected=(403, 404))
    rival.goto("/jobs")
    streams = [_listen(open_page(user=RIVAL), one) for one in ("/live?jobs=true", "/api/v1/events/stream")]
    before = _counts(rival)

    lead = open_page(user=LEAD, locale="en")
    _run(engine, _submit(lead, "omega-tapeout-7"))
    _submit(lead, "omega-tapeout-8")
    lead.get_by_role("button", name="Cancel").click()
    expect(lead.locator(".head .state")).to_contain_text("Cancelling")

    found: dict[str, list[str]] = {}
    ids = _ids_of(engine, city.projects["npu-verif"])
    for address in ("/", "/jobs", "/campaigns", "/clusters/danang", "/licenses", "/requests"):
        rival.goto(address)
        found[address] = _said(f"{rival.title()} {rival.content()}", (*SAID, *ids))
    ask = rival.context.request
    for address in (
        *sorted({look.address for look in looks if look.user and not _is_named(look.address)}),
        *(f"/api/v1/{topic}" for topic in LISTS),
    ):
        found[address] = _said(ask.get(address).text(), (*SAID, *ids))
    for text in ("omega", "fifo", "npu", "Sao Biển", "linh"):
        lines = ask.get(f"/find?text={text}", headers={"X-Requested-With": "palette"})
        found[text] = _said(lines.text(), (*SAID, *ids))
    assert {address: said for address, said in found.items() if said} == {}
    assert len(_said(lead.context.request.get("/jobs").text(), (*SAID, *ids))) > 50, "what to look for"
    assert _counts(rival) == before

    rival.context.request.post(f"/jobs/{city.jobs['secret-core']}/cancel", form=_token(rival))
    for page in streams:
        heard = page.evaluate(UNTIL_HEARD, str(city.jobs["secret-core"]))
        assert _said(heard, (*SAID, *ids)) == []


def test_every_address_of_one_startup_is_to_the_other_as_one_that_never_was(
    open_page: OpenPage, city: City, looks: list[Look]
) -> None:
    rival = open_page(user=RIVAL, expected=(404,))
    job = city.jobs["fifo-regression"]
    addresses = [look.address for look in looks if look.user and _is_named(look.address)]
    addresses += [
        f"/jobs/{job}/{part}" for part in ("zip", "files/regression/task-12.out", "log/lines?from_line=1")
    ]
    addresses += [
        f"/live?job={job}",
        f"/api/v1/jobs/{job}",
        f"/api/v1/jobs/{job}/log",
        "/api/v1/projects/npu-verif",
    ]
    assert len(addresses) > 30
    told = {}
    for address in addresses:
        other = NAMES.sub("never-was", UUIDS.sub(lambda _: str(uuid4()), address))
        here, nowhere = (rival.context.request.get(one) for one in (address, other))
        status, text = here.status, _as_any(here.text())
        if (status, text) != (nowhere.status, _as_any(nowhere.text())) or status not in {403, 404}:
            told[address] = (status, nowhere.status, text[:300])
    assert told == {}
    for address in (f"/jobs/{job}", "/projects/npu-verif"):
        rival.goto(address)
        expect(rival.get_by_role("heading", level=1)).to_have_text("Không tìm thấy")
        assert _said(f"{rival.title()} {rival.locator('main').inner_html()}", SAID) == []


def test_the_rivals_are_hidden_from_a_lead_as_well(open_page: OpenPage, city: City, engine: Engine) -> None:
    _submit(open_page(user=RIVAL, locale="en"), "secret-core-2")
    lead = open_page(user=LEAD, expected=(404,))
    said = (*RIVALS_SAID, *_ids_of(engine, city.projects["riscv-lab"]))
    job = city.jobs["secret-core"]
    for address in (
        "/",
        "/jobs",
        "/campaigns",
        "/clusters",
        "/clusters/danang",
        "/licenses",
        "/quota",
        "/find",
    ):
        lead.goto(address)
        assert _said(lead.content(), said) == [], address
    for tab in ("", "/log", "/files", "/cost", "/events", f"/files/slurm-{job}.out", "/zip"):
        assert lead.context.request.get(f"/jobs/{job}{tab}").status == 404, tab


def _listen(page: Page, address: str) -> Page:
    page.goto("/menu")
    assert page.evaluate(LISTEN, address) == 200
    return page


def _submit(page: Page, name: str) -> UUID:
    page.goto("/submit/script")
    page.get_by_label("Job name", exact=True).fill(name)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    return UUID(page.url[-36:])


def _run(engine: Engine, job: UUID) -> None:
    """On the shared cluster, with one of its licences."""
    with engine.connect() as connection:
        spec = connection.execute(select(col(Job.spec)).where(col(Job.id) == job)).scalar_one()
    spec["resources"] = {**spec.get("resources", {}), "licenses": {"vcs": 1}}
    values = {"phase": Phase.TRACKED, "state": JobState.RUNNING, "tasks_running": 1, "spec": spec}
    transact(
        engine, lambda connection: connection.execute(update(Job).where(col(Job.id) == job).values(values))
    )


def _ids_of(engine: Engine, project: UUID) -> tuple[str, ...]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(col(Job.id), col(Job.name)).where(col(Job.project_id) == project)
        ).all()
    return (str(project), *(str(row.id) for row in rows), *{row.name for row in rows if "-" in row.name})


def _counts(page: Page) -> dict[str, object]:
    """How much of everything there is, as far as a page or the API counts."""
    listed = {topic: page.context.request.get(f"/api/v1/{topic}").json() for topic in LISTS[:6]}
    return {topic: len(found.get("items", found)) for topic, found in listed.items()}


def _is_named(address: str) -> bool:
    return bool(UUIDS.search(address) or NAMES.search(address))


def _said(text: str, words: tuple[str, ...]) -> list[str]:
    plain = text + json.dumps(text, ensure_ascii=False)
    return [word for word in words if word in plain]


def _as_any(text: str) -> str:
    """Without what differs between any two replies: the address, the CSRF token and the request's id."""
    text = re.sub(r"(csrf[-_]token[^>]*?(?:value|content)=\")[^\"]+", r"\1", text)
    text = re.sub(r'"request_id":\s*"[^"]+"|<code>[0-9a-f]{16}</code>', "", text)
    return re.sub("npu-verif|sao-bien", "never-was", UUIDS.sub("", text))


def _token(page: Page) -> dict[str, str | float | bool]:
    page.goto("/menu")
    return {"csrf_token": page.locator("input[name=csrf_token]").first.input_value()}
