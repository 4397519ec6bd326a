"""A small city for browser tests: two tenants, jobs in every state, budgets, a cluster, logs on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert

from hpc_portal.app import cluster_views, events, schema
from hpc_portal.app.accounts.authenticate import hash_password
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.events import Event
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import (
    GlobalRole,
    Job,
    JobTask,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    User,
)
from quotas.grant import grant
from quotas.hold import hold
from quotas.money import VND
from quotas.pricing import PriceItem, PriceList, estimate
from quotas.publish_prices import publish_price_list
from quotas.tables import Organisation, OrganisationKind, Project
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState, Partition
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from schedulers.jobstate import JobState

PASSWORD = "correct horse battery staple"
NOW = datetime.now(UTC)


@dataclass
class City:
    """Where the city lives and what it is made of."""

    settings: Settings
    users: dict[str, UUID] = field(default_factory=dict)
    projects: dict[str, UUID] = field(default_factory=dict)
    organisations: dict[str, UUID] = field(default_factory=dict)
    jobs: dict[str, UUID] = field(default_factory=dict)
    workspaces: dict[str, Path] = field(default_factory=dict)

    def log_of(self, job: str) -> Path:
        return self.workspaces[job] / f"slurm-{self.jobs[job]}.out"


def build_city(state_dir: Path) -> City:
    """Make the database and workspaces of a city whose numbers can be checked by hand."""
    settings = Settings(state_dir=state_dir, secret_key="test", default_locale="vi")  # type: ignore[arg-type]
    schema.upgrade(settings)
    city = City(settings)
    engine = create_engine(settings.effective_database_url)
    transact(engine, lambda connection: _people(connection, city))
    transact(engine, lambda connection: _money(connection, city))
    transact(engine, _cluster)
    transact(engine, lambda connection: _jobs(connection, city))
    engine.dispose()
    return city


def _people(connection: Connection, city: City) -> None:
    password = hash_password(PASSWORD)
    for slug, name, kind in (
        ("sao-bien", "Sao Biển Semiconductor", OrganisationKind.STARTUP),
        ("bach-khoa", "Đại học Bách khoa", OrganisationKind.UNIVERSITY),
    ):
        city.organisations[slug] = new_id()
        connection.execute(
            insert(Organisation).values(
                id=city.organisations[slug], slug=slug, name=name, kind=kind, state="active", created_at=NOW
            )
        )
    for account, name, slug in (
        ("npu-verif", "Kiểm chứng NPU", "sao-bien"),
        ("riscv-lab", "Phòng thí nghiệm RISC-V", "bach-khoa"),
    ):
        city.projects[account] = new_id()
        connection.execute(
            insert(Project).values(
                id=city.projects[account],
                organisation_id=city.organisations[slug],
                account=account,
                name=name,
                state="active",
                created_at=NOW,
            )
        )
    people = (
        ("linh", "Nguyễn Thùy Linh", "npu-verif", ProjectRole.LEAD, None),
        ("minh", "Trần Quang Minh", "riscv-lab", ProjectRole.MEMBER, None),
        ("thanhpho", "Quản trị thành phố", None, None, GlobalRole.ADMINISTRATOR),
    )
    for number, (username, display_name, account, role, global_role) in enumerate(people, start=1):
        city.users[username] = new_id()
        connection.execute(
            insert(User).values(
                id=city.users[username],
                username=username,
                display_name=display_name,
                email=f"{username}@example.vn",
                password_hash=password,
                global_role=global_role,
                cluster_user=f"u{number:04}",
                cluster_number=number,
                locale="vi",
                theme="auto",
                is_active=True,
                created_at=NOW,
            )
        )
        if account:
            slug = "sao-bien" if account == "npu-verif" else "bach-khoa"
            connection.execute(
                insert(ProjectMember).values(
                    project_id=city.projects[account], user_id=city.users[username], role=role
                )
            )
            connection.execute(
                insert(OrganisationMember).values(
                    organisation_id=city.organisations[slug],
                    user_id=city.users[username],
                    role=OrganisationRole.MEMBER,
                )
            )


def _money(connection: Connection, city: City) -> None:
    prices = [
        PriceItem("cpu", 1_000),
        PriceItem("mem", 100),
        PriceItem("gres/gpu", 40_000),
        PriceItem("gres/gpu:h100", 60_000),
        PriceItem("license/vcs", 20_000),
    ]
    publish_price_list(connection, prices, valid_from=NOW - timedelta(days=30), actor_id=None, at=NOW)
    for account, vnd in (("npu-verif", 50_000_000), ("riscv-lab", 7_000_000)):
        grant(
            connection,
            project_id=city.projects[account],
            lines={VND: vnd, "gres/gpu": 600 * 3600, "cpu": 20_000 * 3600},
            valid_from=NOW - timedelta(days=30),
            valid_to=NOW + timedelta(days=60),
            overdraft=None,
            actor_id=None,
            reason="test",
            idempotency_key=f"grant-{account}",
            at=NOW,
        )


def _cluster(connection: Connection) -> None:
    nodes = tuple(
        Node(
            f"dn-gpu{index:02}",
            NodeState.UP if index < 4 else NodeState.DRAINING,
            cpus=64,
            memory_mib=512 * 1024,
            gpus={"h100": 8},
            allocated_cpus=index * 12,
            allocated_memory_mib=index * 64 * 1024,
            allocated_gpus={"h100": index + 2},
            reason="" if index < 4 else "Thay quạt",
        )
        for index in range(1, 5)
    )
    snapshot = ClusterSnapshot(
        name="danang",
        as_of=datetime.now(UTC),
        partitions=(
            Partition("main", tuple(node.name for node in nodes), 7 * 86_400, 3600, is_default=True),
        ),
        nodes=nodes,
        licenses=(License("vcs", 8, 3),),
    )
    cluster_views.save(connection, snapshot)


_SCRIPT = "#!/bin/bash\nmake regress SEEDS=20\n"


def _jobs(connection: Connection, city: City) -> None:
    for number in range(60):
        _job(
            connection,
            city,
            f"lint-top-{number:02}",
            JobState.COMPLETED,
            Phase.SETTLED,
            ago=timedelta(days=2, minutes=number),
            charged_vnd=1_000 * (number + 1),
        )
    _job(
        connection,
        city,
        "sta-ss-125c",
        JobState.TIMEOUT,
        Phase.SETTLED,
        ago=timedelta(hours=9),
        reason="TimeLimit",
    )
    _job(connection, city, "spice-mc", JobState.OUT_OF_MEMORY, Phase.SETTLED, ago=timedelta(hours=8))
    _job(connection, city, "pnr-block-a", JobState.CANCELLED, Phase.SETTLED, ago=timedelta(hours=7))
    _job(connection, city, "drc-macro", JobState.NODE_FAIL, Phase.SETTLED, ago=timedelta(hours=6))
    _job(
        connection, city, "axi-formal", JobState.FAILED, Phase.SETTLED, ago=timedelta(hours=5), exit_code=127
    )
    _job(
        connection,
        city,
        "sram-refused",
        JobState.PENDING,
        Phase.REFUSED,
        ago=timedelta(hours=4),
        reason="Invalid account",
    )
    _job(
        connection,
        city,
        "axi-regression",
        JobState.RUNNING,
        Phase.TRACKED,
        ago=timedelta(minutes=50),
        array="0-99",
    )
    _job(
        connection,
        city,
        "ocr-vi-finetune",
        JobState.RUNNING,
        Phase.TRACKED,
        ago=timedelta(minutes=20),
        gpus=4,
    )
    _job(
        connection,
        city,
        "npu-synth",
        JobState.PENDING,
        Phase.TRACKED,
        ago=timedelta(minutes=4),
        reason="Resources",
        gpus=8,
    )
    _job(
        connection,
        city,
        "secret-core",
        JobState.RUNNING,
        Phase.TRACKED,
        ago=timedelta(minutes=2),
        account="riscv-lab",
        username="minh",
    )
    city.log_of("ocr-vi-finetune").write_text(
        "".join(f"epoch {n} loss={2.3 / (n + 1):.4f} val_acc={1 - 0.9 / (n + 1):.4f}\n" for n in range(600))
    )
    city.log_of("axi-formal").write_text("reading design\n./run.sh: line 3: sby: command not found\n")
    city.log_of("secret-core").write_text("SECRET tape-out data\n")


def _job(  # noqa: PLR0913 - the facts of a job, by keyword
    connection: Connection,
    city: City,
    name: str,
    state: JobState,
    phase: Phase,
    *,
    ago: timedelta,
    reason: str = "",
    exit_code: int | None = None,
    charged_vnd: int = 12_500,
    gpus: int = 0,
    array: str | None = None,
    account: str = "npu-verif",
    username: str = "linh",
) -> None:
    job_id = new_id()
    spec = JobSpec(
        name=name,
        script=_SCRIPT,
        partition="main",
        account=account,
        resources=ResourceRequest(
            cpus_per_task=4,
            memory_mib_per_node=8192,
            gpus_per_node={"h100": gpus} if gpus else {},
            walltime_seconds=7200,
        ),
        array=ArraySpec(expression=array) if array else None,
    )
    has_started = state is not JobState.PENDING
    submitted = datetime.now(UTC) - ago
    started = submitted + timedelta(seconds=90) if has_started else None
    ended = submitted + timedelta(minutes=31, seconds=30) if state.is_terminal else None
    organisation = "sao-bien" if account == "npu-verif" else "bach-khoa"
    workspace = f"{organisation}/{account}/{username}/{job_id}"
    total = spec.task_count
    counts = _counts(state, total)
    connection.execute(
        insert(Job).values(
            id=job_id,
            organisation_id=city.organisations[organisation],
            project_id=city.projects[account],
            user_id=city.users[username],
            name=name,
            spec=spec.model_dump(mode="json", exclude_defaults=True),
            workspace=workspace,
            partition="main",
            is_array=array is not None,
            phase=phase,
            state=state,
            state_reason=reason,
            exit_code=exit_code if exit_code is not None else (0 if state is JobState.COMPLETED else None),
            scheduler="danang",
            scheduler_job_id=str(job_id.int % 100_000),
            submitted_at=submitted,
            dispatched_at=submitted + timedelta(seconds=1),
            started_at=started,
            ended_at=ended,
            settled_at=ended if phase is Phase.SETTLED else None,
            tasks_total=total,
            estimated_vnd=50_000,
            charged_vnd=charged_vnd if phase is Phase.SETTLED else 0,
            **counts,
        )
    )
    for index in range(counts["tasks_running"] + counts["tasks_completed"] + counts["tasks_failed"]):
        _run(connection, job_id, index, counts, state, started, exit_code)
    told = [Event(job_id, city.projects[account], "job.submitted", {"name": name})]
    if has_started:
        told.append(Event(job_id, city.projects[account], "job.state", {"state": state}))
    events.record(connection, told, at=submitted)
    city.jobs[name] = job_id
    city.workspaces[name] = city.settings.effective_workspace_root / workspace
    city.workspaces[name].mkdir(parents=True)


def _counts(state: JobState, total: int) -> Mapping[str, int]:
    counts = {"tasks_running": 0, "tasks_completed": 0, "tasks_failed": 0, "tasks_cancelled": 0}
    match state:
        case JobState.RUNNING if total > 1:
            counts.update(tasks_running=8, tasks_completed=30, tasks_failed=4)
        case JobState.RUNNING:
            counts["tasks_running"] = 1
        case JobState.COMPLETED:
            counts["tasks_completed"] = 1
        case JobState.CANCELLED:
            counts["tasks_cancelled"] = 1
        case JobState.PENDING:
            pass
        case _:
            counts["tasks_failed"] = 1
    return counts


def _run(  # noqa: PLR0913, PLR0917 - the facts of a run
    connection: Connection,
    job_id: UUID,
    index: int,
    counts: Mapping[str, int],
    state: JobState,
    started: datetime | None,
    exit_code: int | None,
) -> None:
    is_running = index < counts["tasks_running"]
    has_failed = not is_running and index < counts["tasks_running"] + counts["tasks_failed"]
    run_state = JobState.RUNNING if is_running else JobState.FAILED if has_failed else JobState.COMPLETED
    ended = None if is_running or started is None else started + timedelta(minutes=30)
    values: dict[str, Any] = {
        "job_id": job_id,
        "task_index": index,
        "attempt": 0,
        "state": state if state.is_terminal else run_state,
        "exit_code": exit_code if has_failed else None if is_running else 0,
        "placement": {},
        "placed_at": started,
        "started_at": started,
        "ended_at": ended,
        "elapsed_seconds": None if is_running else 1800,
        "allocated_tres": {"cpu": 4, "mem": 8192, "node": 1},
        "settled_at": ended,
    }
    connection.execute(insert(JobTask).values(values))
