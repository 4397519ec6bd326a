"""Site templates: published in versions, seen by whom they are for, kept by jobs, never changed."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.campaigns.cells import cells_of
from hpc_portal.app.campaigns.collect import CollectStep
from hpc_portal.app.campaigns.queries import campaign_of_job
from hpc_portal.app.campaigns.rerun import RerunWish, rerun_failed
from hpc_portal.app.campaigns.results import verdicts
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidSubmission, NotAllowed
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.results import read_results
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import GlobalRole, OrganisationRole
from hpc_portal.app.templates.find import find_template, offered
from hpc_portal.app.templates.folder import publish_folder
from hpc_portal.app.templates.publish import publish_template, retire_template, validate_template
from hpc_portal.app.templates.publish_step import PublishFolderStep
from hpc_portal.app.templates.queries import get_version, list_versions
from schedulers.jobspec import ArraySpec
from tests.integration.app.conftest import Story
from workloads.errors import InvalidSiteTemplate, TemplateNotFound
from workloads.site.template import SiteTemplate
from workloads.template import Verdict

DOCUMENT = """\
name = "simulate"
title = { vi = "Mô phỏng", en = "Simulate" }
summary = { vi = "Chạy.", en = "Run." }
script = '''
mkdir -p logs
echo {{top}} PASSED > logs/run.log
'''

[parameters.top]
type = "word"
title = { vi = "Đỉnh", en = "Top" }
default = "tb"

[results]
log = "logs/run.log"
pass = ['PASSED']
"""
SECOND = DOCUMENT.replace("'PASSED'", "'GOOD'")
FOR_CHIPS = DOCUMENT + '\n[who_may_use]\nprojects = ["chips"]\n'


ARRAY = (
    DOCUMENT.replace('log = "logs/run.log"', 'log = "logs/{row}-{column}.log"')
    + """
[array]
rows = "tests"
columns = "seeds"

[parameters.tests]
type = "list"
minimum = 1
title = { vi = "Bài", en = "Tests" }
default = ["smoke", "burst"]

[parameters.seeds]
type = "integer"
minimum = 1
maximum = 100
title = { vi = "Seed", en = "Seeds" }
default = 2
"""
)


def names(story: Story, actor: Actor) -> set[str]:
    return {one.name for one in offered(story.city.services, actor)}


def submit(story: Story, template: str, actor: Actor | None = None, project: str = "chips") -> UUID:
    request = SubmitRequest(project=project, template=template, parameters={"top": "fifo"})
    return asyncio.run(submit_job(story.city.services, actor or story.city.chips.member, request)).job_id


def deeds(story: Story) -> list[tuple[str, dict[str, Any]]]:
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(
            select(col(AuditRecord.action), col(AuditRecord.facts)).order_by(col(AuditRecord.sequence))
        )
        return [(row.action, row.facts) for row in rows if row.action.startswith("template.")]


def test_a_published_template_is_submitted_and_read_like_any_other(story: Story) -> None:
    services = story.city.services
    first = publish_template(services, OPERATOR, DOCUMENT)
    assert (first.name, first.version, first.is_new) == ("simulate", 1, True)
    assert "simulate" in names(story, story.city.chips.member)
    job_id = submit(story, "simulate")
    with services.reading() as session:
        job = get_job(session, story.city.chips.member, job_id)
    assert job.template == "simulate@1"
    assert job.spec.environment["PARAM_TOP"] == "fifo"


def test_old_jobs_are_read_and_run_again_by_the_version_they_were_submitted_with(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    publish_template(services, OPERATOR, DOCUMENT)
    old = submit(story, "simulate")
    assert publish_template(services, OPERATOR, SECOND).version == 2
    new, again = submit(story, "simulate"), submit(story, "simulate@1")
    retire_template(services, OPERATOR, "simulate")
    for job_id, reference, verdict in (
        (old, "simulate@1", Verdict.PASS),
        (new, "simulate@2", Verdict.NO_VERDICT),
        (again, "simulate@1", Verdict.PASS),
    ):
        with services.reading() as session:
            job = get_job(session, member, job_id)
        assert job.template == reference
        workspace = services.settings.effective_workspace_root / job.workspace
        (workspace / "logs").mkdir(parents=True)
        (workspace / "results").mkdir()
        (workspace / "logs/run.log").write_text("fifo PASSED\n")
        (workspace / "results/exit-0").write_text("0\n")
        (task,) = read_results(services, member, job_id).results.tasks
        assert task.verdict is verdict


def test_the_same_document_makes_no_new_version(story: Story) -> None:
    services = story.city.services
    publish_template(services, OPERATOR, DOCUMENT)
    again = publish_template(services, OPERATOR, DOCUMENT.replace("\n", "\r\n"))
    assert (again.version, again.is_new) == (1, False)
    assert [action for action, _ in deeds(story)] == ["template.published"]


def test_what_is_retired_is_offered_to_nobody_until_it_is_published_again(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    publish_template(services, OPERATOR, DOCUMENT)
    assert retire_template(services, OPERATOR, "simulate")
    assert not retire_template(services, OPERATOR, "simulate")
    assert "simulate" not in names(story, member)
    for reference in ("simulate", "simulate@1"):
        with pytest.raises(TemplateNotFound):
            submit(story, reference)
    assert publish_template(services, OPERATOR, DOCUMENT).version == 1
    assert "simulate" in names(story, member)
    assert [action for action, _ in deeds(story)] == [
        "template.published",
        "template.retired",
        "template.published",
    ]


def test_nobody_else_sees_or_uses_a_template_of_one_project(story: Story) -> None:
    services, city = story.city.services, story.city
    publish_template(services, OPERATOR, FOR_CHIPS)
    manager = replace(
        city.rivals.lead,
        organisations={city.chips.organisation_id: OrganisationRole.MANAGER},
        projects={},
        project_organisations={},
    )
    for who, sees in (
        (city.chips.member, True),
        (city.rivals.lead, False),
        (manager, True),
        (replace(city.rivals.lead, global_role=GlobalRole.AUDITOR), True),
    ):
        assert ("simulate" in names(story, who)) is sees
        if not sees:
            with pytest.raises(TemplateNotFound) as refused:
                find_template(services, who, "simulate@1")
            assert "simulate" not in refused.value.known
    with pytest.raises(TemplateNotFound):
        submit(story, "simulate", city.rivals.member, "rivals")


@pytest.mark.parametrize(
    "who",
    ['organisations = ["chips-org"]', 'organisation_kinds = ["startup"]', 'projects = ["chips", "rivals"]'],
)
def test_a_template_is_for_organisations_their_kinds_or_projects(story: Story, who: str) -> None:
    publish_template(story.city.services, OPERATOR, f"{DOCUMENT}\n[who_may_use]\n{who}\n")
    assert "simulate" in names(story, story.city.chips.member)
    assert ("simulate" in names(story, story.city.rivals.member)) is ("chips" not in who or "rivals" in who)


def test_who_is_in_two_projects_uses_it_for_the_right_one_only(story: Story) -> None:
    services, city = story.city.services, story.city
    publish_template(services, OPERATOR, FOR_CHIPS)
    both = replace(
        city.chips.member,
        projects=dict(city.chips.member.projects) | dict(city.rivals.member.projects),
        project_organisations=dict(city.chips.member.project_organisations)
        | dict(city.rivals.member.project_organisations),
    )
    submit(story, "simulate", both, "chips")
    with pytest.raises(InvalidSubmission, match="not for the project rivals"):
        submit(story, "simulate", both, "rivals")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (DOCUMENT.replace('"simulate"', '"script"'), "portal itself has a template script"),
        (DOCUMENT + '\n[who_may_use]\nprojects = ["chpis"]\n', "who_may_use.projects: There is no chpis"),
        (DOCUMENT + '\n[who_may_use]\norganisation_kinds = ["bank"]\n', "no kind of organisation bank"),
        (DOCUMENT.replace("{{top}}", "$PARAM_TOP"), "never as $PARAM_NAME"),
        ("", "missing"),
    ],
)
def test_a_wrong_document_changes_nothing(story: Story, document: str, says: str) -> None:
    services = story.city.services
    publish_template(services, OPERATOR, DOCUMENT)
    verbs: tuple[Callable[[], object], ...] = (
        lambda: publish_template(services, OPERATOR, document),
        lambda: validate_template(services, OPERATOR, document, source="x.toml"),
    )
    for verb in verbs:
        with pytest.raises(InvalidSiteTemplate) as refused:
            verb()
        assert says in str(refused.value)
    with services.reading() as session:
        assert [(one.name, one.version) for one in list_versions(session, OPERATOR)] == [("simulate", 1)]
    assert len(deeds(story)) == 1


def test_only_administrators_publish_and_retire(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    auditor = replace(lead, global_role=GlobalRole.AUDITOR)
    publish_template(services, OPERATOR, DOCUMENT)
    for who in (lead, auditor):
        verbs: tuple[Callable[[Actor], object], ...] = (
            lambda one: publish_template(services, one, SECOND),
            lambda one: retire_template(services, one, "simulate"),
            lambda one: validate_template(services, one, SECOND, source="x.toml"),
        )
        for verb in verbs:
            with pytest.raises(NotAllowed) as refused:
                verb(who)
            assert refused.value.action == Action.PUBLISH_TEMPLATES
    with services.reading() as session:
        assert get_version(session, auditor, "simulate").version == 1
        with pytest.raises(NotAllowed):
            get_version(session, lead, "simulate")


def test_the_database_itself_keeps_a_version_as_it_was_published(story: Story) -> None:
    publish_template(story.city.services, OPERATOR, DOCUMENT)
    for statement in (
        "UPDATE site_template_version SET document = 'x'",
        "DELETE FROM site_template_version",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            transact(story.city.services.engine, partial(Connection.execute, statement=text(statement)))


def test_two_who_publish_at_once_make_two_versions(story: Story) -> None:
    services = story.city.services
    found = []
    barrier = threading.Barrier(4)

    def publish(number: int) -> None:
        barrier.wait()
        document = DOCUMENT.replace('en = "Simulate"', f'en = "Simulate {number}"')
        found.append(publish_template(services, OPERATOR, document).version)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [1, 2, 3, 4]


def test_the_folder_publishes_each_document_once_and_stops_at_none_that_is_wrong(
    story: Story, tmp_path: Path
) -> None:
    services, folder = story.city.services, tmp_path / "templates"
    step = PublishFolderStep(services.engine, story.clock, folder)
    asyncio.run(step())
    folder.mkdir()
    (folder / "a.toml").write_text("name = 3")
    (folder / "b.toml").write_text(DOCUMENT)
    (folder / "c.toml").write_bytes(b"\xff\xfe")
    asyncio.run(step())
    assert [path.name for path in step.told] == ["a.toml", "c.toml"]
    assert "simulate" in names(story, story.city.chips.member)
    retire_template(services, OPERATOR, "simulate")
    asyncio.run(step())
    assert "simulate" not in names(story, story.city.chips.member), "retired for good, whatever lies there"
    (folder / "b.toml").write_text(SECOND)
    outcomes = list(publish_folder(services.engine, folder, at=story.clock.now()))
    assert [one.published.version for one in outcomes if one.published] == [2]


def test_the_language_of_the_reader_is_spoken(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    publish_template(services, OPERATOR, DOCUMENT)
    template = find_template(services, member, "simulate", "vi")
    assert isinstance(template, SiteTemplate)
    assert (template.title, template.parameters.model_fields["top"].title) == ("Mô phỏng", "Đỉnh")


def test_an_array_is_a_campaign_that_runs_again_what_failed_by_its_own_version(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    publish_template(services, OPERATOR, ARRAY)
    request = SubmitRequest(project="chips", template="simulate", parameters={})
    job_id = asyncio.run(submit_job(services, member, request)).job_id
    publish_template(services, OPERATOR, ARRAY.replace("'PASSED'", "'GOOD'"))
    story.step()
    workspace = story.context.workspace_root / str(story.job(job_id).workspace)
    for folder in ("logs", "results"):
        (workspace / folder).mkdir(parents=True, exist_ok=True)
    for index, (test, seed) in enumerate([("smoke", 1), ("smoke", 2), ("burst", 1), ("burst", 2)]):
        (workspace / f"logs/{test}-{seed}.log").write_text("PASSED\n" if index != 3 else "\n")
        (workspace / f"results/exit-{index}").write_text("0\n")
        story.scheduler.finish(job_id, index)
    story.step()
    collect = CollectStep(story.context)
    asyncio.run(until_done(collect))
    with services.reading() as session:
        assert [cell.row for cell in cells_of(session, job_id)] == ["smoke", "smoke", "burst", "burst"]
        found, _ = verdicts(session, job_id)
        row = campaign_of_job(session, job_id)
    assert found == {0: Verdict.PASS, 1: Verdict.PASS, 2: Verdict.PASS, 3: Verdict.NO_VERDICT}
    assert row
    again = asyncio.run(
        rerun_failed(
            services,
            member,
            row.campaign_id,
            RerunWish(new_seeds=True, with_waves=False),
            idempotency_key=None,
        )
    ).job_id
    with services.reading() as session:
        job = get_job(session, member, again)
    assert (job.template, job.spec.array) == ("simulate@1", ArraySpec(expression="3"))
    assert job.spec.environment["PARAM_FIRST_COLUMN"] == "3"


async def until_done(step: CollectStep) -> None:
    while await step():
        pass
