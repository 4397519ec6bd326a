"""Licences: servers are asked by their own lmstat, others' use is left to them, and tenants stay apart."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hpc_portal.app import cluster_views
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.cluster_amounts import FreeAmount
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotAllowed, ProjectNotFound
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.licenses.free import free_licenses
from hpc_portal.app.licenses.poll import PollLicensesStep, load_reports
from hpc_portal.app.licenses.queries import FeatureUse, free_of, license_use
from hpc_portal.app.licenses.reserve import reserve_licenses
from hpc_portal.app.licenses.set_aside import in_use_outside
from hpc_portal.app.licenses.supply import license_supplies
from hpc_portal.app.licenses.waiting import licenses_waited_for
from hpc_portal.app.settings import LicenseServerSettings
from schedulers.cluster import License, LicenseSupply
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.integration.app.conftest import Story
from tests.small_city import cluster

LMSTAT = """
Users of vcs:  (Total of {issued} licenses issued;  Total of {used} licenses in use)

    linh n1.hpc.danang.vn /dev/pts/1 (v1) (lic01/27020 12), start Mon 1/5 9:15
    tuan ws-12 ws-12 (v1) (lic01/27020 13), start Mon 1/5 9:20, {outside} licenses
"""


@pytest.fixture
def server(tmp_path: Path) -> LicenseServerSettings:
    """A small process that answers like lmstat, with what stands in a file, or hangs."""
    program = tmp_path / "lmstat.py"
    program.write_text(
        "import sys, time\n"
        f"text = open({str(tmp_path / 'answer')!r}).read()\n"
        "assert sys.argv[1:3] == ['-a', '-c'], sys.argv\n"
        "time.sleep(600) if text == 'hang' else print(text)\n"
    )
    answer(tmp_path, issued=10, outside=3)
    return LicenseServerSettings(
        address="27020@lic01", command=[sys.executable, str(program)], timeout_seconds=30
    )


def answer(folder: Path, *, issued: int, outside: int) -> None:
    text = LMSTAT.format(issued=issued, used=outside + 1, outside=outside)
    (folder / "answer").write_text(text)


def poll(story: Story, server: LicenseServerSettings) -> None:
    asyncio.run(PollLicensesStep(story.city.services.engine, story.clock, [server])())


def supplies(story: Story, shares: Mapping[str, int] | None = None) -> dict[str, LicenseSupply]:
    with story.city.services.engine.connect() as connection:
        return license_supplies(connection, shares or {})


def use(story: Story, actor: Actor) -> FeatureUse:
    with story.city.services.engine.connect() as connection:
        return next(one for one in license_use(connection, actor) if one.name == "vcs")


def wanting(count: int) -> JobSpec:
    resources = ResourceRequest(licenses={"vcs": count}, walltime_seconds=600)
    return JobSpec(name="sim", argv=("/bin/true",), resources=resources)


@pytest.fixture
def licenses() -> dict[str, int]:
    return {"vcs": 5}


@pytest.fixture(autouse=True)
def known_nodes(story: Story) -> None:
    def save(connection: Connection) -> None:
        cluster_views.save(connection, replace(cluster(), licenses=(License("vcs", 5),)))

    transact(story.city.services.engine, save)


def test_what_is_used_outside_the_clusters_is_not_the_clusters(
    story: Story, server: LicenseServerSettings, tmp_path: Path
) -> None:
    assert supplies(story) == {}
    poll(story, server)
    assert supplies(story) == {"vcs": LicenseSupply(10, outside=3)}
    assert supplies(story, {"vcs": 4}) == {"vcs": LicenseSupply(4)}
    answer(tmp_path, issued=10, outside=8)
    poll(story, server)
    assert supplies(story, {"vcs": 4}) == {"vcs": LicenseSupply(4, outside=2)}


def test_a_cluster_that_counts_itself_is_told_what_its_jobs_cannot_have(
    story: Story, server: LicenseServerSettings, tmp_path: Path
) -> None:
    """The cluster counts five; besides, a feature that no server has, and another cluster."""

    def gone(*, issued: int, outside: int, cluster: str = "memory") -> dict[str, int]:
        answer(tmp_path, issued=issued, outside=outside)
        poll(story, server)
        with story.city.services.engine.connect() as connection:
            return in_use_outside(connection, cluster=cluster)

    assert gone(issued=10, outside=5) == {}
    assert gone(issued=10, outside=8) == {"vcs": 3}
    assert gone(issued=10, outside=40) == {"vcs": 5}
    assert gone(issued=3, outside=1) == {"vcs": 3}
    assert gone(issued=10, outside=8, cluster="another") == {}


@pytest.mark.parametrize("trouble", ["hang", "no answer", "no program"])
def test_a_server_that_does_not_answer_keeps_its_last_word_and_says_why(
    story: Story, server: LicenseServerSettings, tmp_path: Path, trouble: str
) -> None:
    poll(story, server)
    at = story.clock.now()
    story.scheduler.advance(600)
    broken = server.model_copy(update={"timeout_seconds": 0.5})
    match trouble:
        case "hang":
            (tmp_path / "answer").write_text("hang")
        case "no answer":
            (tmp_path / "answer").write_text('Error getting status: Cannot connect. (-15,570:111 "refused")')
            broken = server
        case _:
            broken = server.model_copy(update={"command": [str(tmp_path / "lmutil")]})
    poll(story, broken)
    with story.city.services.engine.connect() as connection:
        ((report, as_of, problem),) = load_reports(connection).values()
    assert (report.features[0].issued, as_of) == (10, at)
    assert problem
    assert use(story, story.city.chips.member).problem == problem
    assert supplies(story) == {"vcs": LicenseSupply(10, outside=3)}


def test_a_tenant_sees_its_own_jobs_and_of_others_only_a_number(
    story: Story, server: LicenseServerSettings
) -> None:
    poll(story, server)
    ours = story.submit(wanting(2))
    story.submit(wanting(3), actor=story.city.rivals.member, project=story.city.rivals.account)
    story.step()
    seen = use(story, story.city.chips.member)
    assert [(one.job_id, one.count) for one in seen.holders] == [(ours, 2)]
    assert (seen.total, seen.in_use, seen.outside, seen.held, seen.others) == (10, 4, 3, 5, 3)
    everything = use(story, OPERATOR)
    assert (len([one for one in everything.holders if one.job_id]), everything.others) == (2, 0)
    assert [(one.user, one.hosts) for one in everything.holders if one.job_id is None] == [
        ("linh", ("n1.hpc.danang.vn",))
    ]


def test_how_many_are_free_is_one_number_for_everybody_and_counts_what_others_hold(
    story: Story, server: LicenseServerSettings
) -> None:
    poll(story, server)
    story.submit(wanting(2))
    story.submit(wanting(3), actor=story.city.rivals.member, project=story.city.rivals.account)
    story.step()
    with story.city.services.engine.connect() as connection:
        told = free_licenses(connection, cluster_views.load(connection))
    assert told == (FreeAmount("license/vcs", free=2, total=10),), "10 less 3 outside and 5 held"
    for reader in (story.city.chips.member, story.city.rivals.member, OPERATOR):
        seen = use(story, reader)
        assert (free_of(seen), seen.total) == (2, 10)


def test_a_job_that_waits_says_for_which_licence_and_who_has_it(
    story: Story, server: LicenseServerSettings, tmp_path: Path
) -> None:
    answer(tmp_path, issued=10, outside=8)
    poll(story, server)
    running, waiting = story.submit(wanting(2)), story.submit(wanting(4))
    story.step()

    def waits(actor: Actor) -> list[tuple[str, int, int, int]]:
        with story.city.services.reading() as session:
            job = get_job(session, actor, waiting)
            found = licenses_waited_for(session.connection(), actor, job)
        return [(one.feature, one.asked, one.free, one.outside) for one in found]

    assert story.job(running).tasks_running == 1
    assert waits(story.city.chips.member) == [("vcs", 4, 0, 8)]


def test_licences_are_kept_for_a_project_and_let_go(story: Story, server: LicenseServerSettings) -> None:
    poll(story, server)
    services, rivals = story.city.services, story.city.rivals.account

    def reserve(count: int, project: str = "chips", feature: str = "vcs", actor: Actor = OPERATOR) -> int:
        return reserve_licenses(services, actor, feature=feature, project=project, count=count)

    assert (reserve(4), reserve(6), reserve(6)) == (0, 4, 6)
    assert supplies(story)["vcs"].kept == {"chips": 6}
    assert use(story, story.city.chips.member).kept == {"chips": 6}
    seen = use(story, story.city.rivals.member)
    assert (seen.kept, seen.kept_for_others) == ({}, 6)
    with pytest.raises(InvalidEntry, match="at most 4"):
        reserve(5, rivals)
    for wrong in (-1, 11):
        with pytest.raises(InvalidEntry):
            reserve(wrong)
    with pytest.raises(InvalidEntry, match="has such a feature"):
        reserve(1, feature="nothing")
    with pytest.raises(ProjectNotFound):
        reserve(1, project="nobody")
    with pytest.raises(NotAllowed):
        reserve(1, actor=story.city.chips.lead)
    assert supplies(story)["vcs"].kept == {"chips": 6}
    reserve(0)
    assert supplies(story)["vcs"].kept == {}
    with services.reading() as session:
        actions = [entry.action for entry in list_audit(session, OPERATOR, limit=10).items]
    assert actions.count("license.reserved") == 3
