"""A city whose tenants ran a hundred thousand jobs over half a year, with their campaigns, runs and events.

Jobs, records and the journal come from synthetic_runs. What hangs on a job follows from its row, so the
database makes it by itself; some thousand jobs are under way, as on a busy morning.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, text

from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.reports.period import local_day
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole, User
from quotas.fold_usage import sum_usage, write_usage
from quotas.grant import grant
from quotas.money import VND
from quotas.tables import Organisation, OrganisationKind, Project, TenantState
from tests.benchmarks.synthetic_runs import Payer, balance_accounts, read_payers, write_jobs
from tests.e2e.web.city import City

DAYS = 180
DAYS_AT_ONCE = 30
ORGANISATIONS = 28
PROJECTS_OF_EACH = 3
PEOPLE_OF_A_PROJECT = 5
TASKS_OF_A_JOB = 2
ONE_UNDER_WAY_OF = 40
_RICH_VND = 10**15


def seed_jobs(engine: Engine, city: City, jobs: int, *, members: int = PEOPLE_OF_A_PROJECT) -> None:
    """Give the city's two projects the most of so many jobs; more tenants share the others.

    Each project gets so many members, who may all submit and have all submitted.
    """
    people = transact(engine, lambda connection: _more_tenants(connection, city, members))
    with engine.connect() as connection:
        payers = read_payers(connection, people)
    today = local_day(datetime.now(UTC))
    runs = jobs * TASKS_OF_A_JOB
    for first in range(0, DAYS, DAYS_AT_ONCE):
        counts = {
            today - timedelta(days=DAYS - number): runs * (number + 1) // DAYS - runs * number // DAYS
            for number in range(first, first + DAYS_AT_ONCE)
        }
        transact(engine, lambda connection: _write_days(connection, payers, counts))  # noqa: B023 - runs now
    transact(engine, lambda connection: _what_hangs_on_jobs(connection, under_way=jobs // ONE_UNDER_WAY_OF))
    transact(engine, balance_accounts)
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()


def _write_days(connection: Connection, payers: Sequence[Payer], counts: Mapping[date, int]) -> None:
    """So many runs on each day; roll-ups of months are then written once, not once for each of their days."""
    _skip_foreign_keys(connection)
    runs = [
        run
        for day, count in counts.items()
        for run in write_jobs(connection, payers, day, count, tasks_of_a_job=TASKS_OF_A_JOB)
    ]
    write_usage(connection, *sum_usage(runs, {payer.project_id: payer.organisation_id for payer in payers}))


def _skip_foreign_keys(connection: Connection) -> None:
    """Two million looks at rows that are there take PostgreSQL longer than all the writing."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))


def _more_tenants(connection: Connection, city: City, members: int) -> dict[UUID, Sequence[UUID]]:
    """People by project, the city's own first."""
    people: dict[UUID, Sequence[UUID]] = {
        city.projects["npu-verif"]: [city.users["linh"], *_people(connection, "npu-verif", members)],
        city.projects["riscv-lab"]: [city.users["minh"], *_people(connection, "riscv-lab", members)],
    }
    at = datetime.now(UTC) - timedelta(days=DAYS)
    for account, slug in (("npu-verif", "sao-bien"), ("riscv-lab", "bach-khoa")):
        project = city.projects[account]
        _join(connection, city.organisations[slug], project, people[project][1:])
        _grant(connection, project, account, at)
    for number in range(ORGANISATIONS):
        organisation = new_id()
        connection.execute(
            insert(Organisation).values(
                id=organisation,
                slug=f"tenant-{number}",
                name=f"Đơn vị {number}",
                kind=list(OrganisationKind)[number % 3],
                state=TenantState.ACTIVE,
                created_at=at,
            )
        )
        for part in range(PROJECTS_OF_EACH):
            account = f"project-{number}-{part}"
            project = _project(connection, organisation, account, at)
            people[project] = _people(connection, account, members)
            _join(connection, organisation, project, people[project])
    return people


def _project(connection: Connection, organisation: UUID, account: str, at: datetime) -> UUID:
    project = new_id()
    connection.execute(
        insert(Project).values(
            id=project,
            organisation_id=organisation,
            account=account,
            name=f"Dự án {account}",
            state=TenantState.ACTIVE,
            created_at=at,
        )
    )
    _grant(connection, project, account, at)
    return project


def _grant(connection: Connection, project: UUID, account: str, at: datetime) -> None:
    grant(
        connection,
        project_id=project,
        lines={VND: _RICH_VND},
        valid_from=at,
        valid_to=at + timedelta(days=2 * DAYS),
        overdraft=None,
        actor_id=None,
        reason="seeded",
        idempotency_key=f"seeded-{account}",
        at=at,
    )


def _people(connection: Connection, account: str, members: int) -> list[UUID]:
    ids = [new_id() for _ in range(members)]
    connection.execute(
        insert(User),
        [
            {
                "id": one,
                "username": f"{account}.{number}",
                "display_name": f"Kỹ sư {number} của {account}",
                "email": f"{account}.{number}@example.vn",
                "password_hash": "",
                "cluster_user": f"{account}{number}",
                "cluster_number": one.int % 2**31,
                "locale": "vi",
                "theme": "auto",
                "is_active": True,
                "created_at": datetime.now(UTC),
            }
            for number, one in enumerate(ids)
        ],
    )
    return ids


def _join(connection: Connection, organisation: UUID, project: UUID, people: Sequence[UUID]) -> None:
    connection.execute(
        insert(OrganisationMember),
        [
            {"organisation_id": organisation, "user_id": one, "role": OrganisationRole.MEMBER}
            for one in people
        ],
    )
    connection.execute(
        insert(ProjectMember),
        [{"project_id": project, "user_id": one, "role": ProjectRole.MEMBER} for one in people],
    )


_WRITES = """
INSERT INTO job_task (job_id, task_index, attempt, state, is_requeued, reason, placement, placed_at,
    started_at, ended_at, elapsed_seconds, allocated_tres, cpu_seconds, max_rss_mib, settled_at, charged_vnd)
SELECT id, task_index, 0, state, false, '', '{}', submitted_at, started_at,
    ended_at, 1800, '{"cpu": 4, "mem": 16384}', 6300, 5120, settled_at, charged_vnd / 2
FROM job CROSS JOIN (SELECT 0 AS task_index UNION ALL SELECT 1) AS tasks
WHERE workspace LIKE 'synthetic/%' AND partition = 'cpu';

INSERT INTO job_task (job_id, task_index, attempt, state, is_requeued, reason, placement, placed_at,
    started_at, ended_at, elapsed_seconds, allocated_tres, cpu_seconds, max_rss_mib, settled_at, charged_vnd)
SELECT id, task_index, 0, state, false, '', '{}', submitted_at, started_at,
    ended_at, 1800, '{"cpu": 8, "mem": 32768, "gres/gpu": 1, "gres/gpu:h100": 1}', 6300, 5120, settled_at,
    charged_vnd / 2
FROM job CROSS JOIN (SELECT 0 AS task_index UNION ALL SELECT 1) AS tasks
WHERE workspace LIKE 'synthetic/%' AND partition = 'gpu';

INSERT INTO job_event (job_id, project_id, at, kind, facts)
SELECT id, project_id, submitted_at, 'job.submitted', '{}'
FROM job WHERE workspace LIKE 'synthetic/%' ORDER BY id;

INSERT INTO job_event (job_id, project_id, at, kind, facts)
SELECT id, project_id, settled_at, 'job.settled', '{}'
FROM job WHERE workspace LIKE 'synthetic/%' ORDER BY id;

INSERT INTO campaign (id, project_id, user_id, name, template, created_at)
SELECT id, project_id, user_id, name, template, submitted_at
FROM job WHERE workspace LIKE 'synthetic/%' AND template = 'rtl-regression';

INSERT INTO campaign_run (job_id, campaign_id, number, kind, with_waves, results, is_read, metrics)
SELECT id, id, 0, 'first', false, 2, true, '{}'
FROM job WHERE workspace LIKE 'synthetic/%' AND template = 'rtl-regression';

INSERT INTO campaign_test (job_id, row_name, passed, failed, no_verdict, wall_ms, covered, coverage_points)
SELECT job_id, 'random', 1, 1, 0, 3600000, 0, 0 FROM campaign_run WHERE is_read;

INSERT INTO refund_case (id, job_id, raised_by, raised_at, reason, asked_percent, state, decision)
SELECT id, id, user_id, settled_at, 'The node had failed.', 100, 'open', ''
FROM job WHERE workspace LIKE 'synthetic/%' AND state = 'NODE_FAIL' ORDER BY id DESC LIMIT 300;

INSERT INTO notice (id, user_id, key, kind, facts, at, read_at)
SELECT id, user_id, CAST(id AS TEXT), 'job.ended', '{}', settled_at, settled_at
FROM job WHERE workspace LIKE 'synthetic/%'
"""
_BEGIN_AGAIN = (
    "UPDATE job SET phase = 'tracked', state = :state, ended_at = NULL, settled_at = NULL, charged_vnd = 0, "
    "tasks_completed = 0, tasks_running = :running WHERE id IN (SELECT id FROM job "
    "WHERE workspace LIKE 'synthetic/%' AND phase = 'settled' ORDER BY id DESC LIMIT :jobs)"
)


def _what_hangs_on_jobs(connection: Connection, *, under_way: int) -> None:
    _skip_foreign_keys(connection)
    for statement in _WRITES.split(";"):
        connection.execute(text(statement))
    for state, running in (("PENDING", 0), ("RUNNING", TASKS_OF_A_JOB)):
        connection.execute(text(_BEGIN_AGAIN), {"state": state, "running": running, "jobs": under_way // 2})
