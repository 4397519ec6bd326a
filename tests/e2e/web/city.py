"""A small city for browser tests: two tenants, jobs in every state, budgets, a cluster, logs on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert

from hpc_portal.app import cluster_views, events
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
from quotas.pricing import PriceItem, estimate
from quotas.publish_prices import current_price_list, publish_price_list
from quotas.settle import RunUsage, settle_runs
from quotas.tables import Organisation, OrganisationKind, Project
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState, Partition
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.tres import times
from tests.databases import PORTAL_TABLES, sqlite_file
from workloads import catalog

PASSWORD = "correct horse battery staple"
NOW = datetime.now(UTC)
_RUN_SECONDS = 1800


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


def build_city(state_dir: Path, database_url: str = "") -> City:
    """Make the database and workspaces of a city whose numbers can be checked by hand.

    `database_url` is one that has the portal's tables already; by default the city has an SQLite file.
    """
    settings = Settings(state_dir=state_dir, default_locale="vi", database_url=database_url)
    if not database_url:
        (state_dir / "portal.db").write_bytes(sqlite_file(PORTAL_TABLES))
    city = City(settings)
    engine = create_engine(settings.effective_database_url)
    transact(engine, lambda connection: _people(connection, city))
    transact(engine, lambda connection: _money(connection, city))
    transact(engine, report_cluster)
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
    for account, title, slug in (
        ("npu-verif", "Kiểm chứng NPU", "sao-bien"),
        ("riscv-lab", "Phòng thí nghiệm RISC-V", "bach-khoa"),
    ):
        city.projects[account] = new_id()
        connection.execute(
            insert(Project).values(
                id=city.projects[account],
                organisation_id=city.organisations[slug],
                account=account,
                name=title,
                state="active",
                created_at=NOW,
            )
        )
    people = (
        ("linh", "Nguyễn Thùy Linh", "npu-verif", ProjectRole.LEAD, None),
        ("minh", "Trần Quang Minh", "riscv-lab", ProjectRole.MEMBER, None),
        ("thanhpho", "Quản trị thành phố", None, None, GlobalRole.ADMINISTRATOR),
        ("lan", "Phạm Ngọc Lan", None, None, None),
    )
    for number, (username, display_name, project, role, global_role) in enumerate(people, start=1):
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
        if project:
            slug = "sao-bien" if project == "npu-verif" else "bach-khoa"
            connection.execute(
                insert(ProjectMember).values(
                    project_id=city.projects[project], user_id=city.users[username], role=role
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


def report_cluster(connection: Connection) -> None:
    """As its controller does all the time: what is older than some minutes is shown as old."""
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


@dataclass(frozen=True)
class Facts:
    """One job of the city."""

    name: str
    state: JobState
    phase: Phase
    ago: timedelta
    reason: str = ""
    exit_code: int | None = None
    gpus: int = 0
    template: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    account: str = "npu-verif"
    username: str = "linh"


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


_JOBS = (
    *(
        Facts(f"lint-top-{number:02}", JobState.COMPLETED, Phase.SETTLED, _minutes(3000 + number))
        for number in range(60)
    ),
    Facts("sta-ss-125c", JobState.TIMEOUT, Phase.SETTLED, _minutes(540), reason="TimeLimit"),
    Facts("spice-mc", JobState.OUT_OF_MEMORY, Phase.SETTLED, _minutes(480)),
    Facts("pnr-block-a", JobState.CANCELLED, Phase.SETTLED, _minutes(420)),
    Facts("drc-macro", JobState.NODE_FAIL, Phase.SETTLED, _minutes(360)),
    Facts("axi-formal", JobState.FAILED, Phase.SETTLED, _minutes(300), exit_code=127),
    Facts("sram-refused", JobState.PENDING, Phase.REFUSED, _minutes(240), reason="Invalid account"),
    Facts(
        "digits-baseline",
        JobState.COMPLETED,
        Phase.SETTLED,
        _minutes(200),
        template="pytorch-training",
        parameters={"name": "digits-baseline", "resources": {"cpus": 8, "memory_mib": 16_384}},
    ),
    Facts(
        "digits-training",
        JobState.COMPLETED,
        Phase.SETTLED,
        _minutes(95),
        template="pytorch-training",
        parameters={"name": "digits-training", "epochs": 60},
    ),
    Facts(
        "fifo-regression",
        JobState.RUNNING,
        Phase.TRACKED,
        _minutes(50),
        template="rtl-regression",
        parameters={"name": "fifo-regression", "seeds": 14},
    ),
    Facts("ocr-vi-finetune", JobState.RUNNING, Phase.TRACKED, _minutes(20), gpus=4),
    Facts("sta-tt-25c", JobState.PENDING, Phase.TRACKED, _minutes(7), reason="Priority"),
    Facts("pnr-block-b", JobState.PENDING, Phase.TRACKED, _minutes(6), reason="Resources"),
    Facts("npu-synth", JobState.PENDING, Phase.TRACKED, _minutes(4), reason="Resources", gpus=8),
    Facts("secret-core", JobState.RUNNING, Phase.TRACKED, _minutes(2), account="riscv-lab", username="minh"),
)


def _jobs(connection: Connection, city: City) -> None:
    for facts in _JOBS:
        _job(connection, city, facts)
    _regression_results(city.workspaces["fifo-regression"])
    _training_results(city.workspaces["digits-training"])
    city.log_of("ocr-vi-finetune").write_text(
        "".join(f"epoch {n} loss={2.3 / (n + 1):.4f} val_acc={1 - 0.9 / (n + 1):.4f}\n" for n in range(600))
    )
    city.log_of("axi-formal").write_text("reading design\n./run.sh: line 3: sby: command not found\n")
    city.log_of("secret-core").write_text("SECRET tape-out data\n")


def _job(connection: Connection, city: City, facts: Facts) -> None:
    job_id = city.jobs[facts.name] = new_id()
    project_id = city.projects[facts.account]
    spec = _spec(facts)
    organisation = "sao-bien" if facts.account == "npu-verif" else "bach-khoa"
    workspace = f"{organisation}/{facts.account}/{facts.username}/{job_id}"
    city.workspaces[facts.name] = city.settings.effective_workspace_root / workspace
    city.workspaces[facts.name].mkdir(parents=True)
    submitted = NOW - facts.ago
    started = submitted + timedelta(seconds=90) if facts.state is not JobState.PENDING else None
    ended = submitted + timedelta(seconds=90 + _RUN_SECONDS) if facts.state.is_terminal else None
    counts = _counts(facts.state, spec.task_count)
    estimated, charged = _ledger(connection, city, facts, spec, ended)
    connection.execute(
        insert(Job).values(
            id=job_id,
            organisation_id=city.organisations[organisation],
            project_id=project_id,
            user_id=city.users[facts.username],
            name=facts.name,
            template=facts.template,
            parameters=dict(facts.parameters) or None,
            spec=spec.model_dump(mode="json", exclude_defaults=True),
            workspace=workspace,
            partition="main",
            is_array=spec.array is not None,
            phase=facts.phase,
            state=facts.state,
            state_reason=facts.reason,
            exit_code=0 if facts.state is JobState.COMPLETED else facts.exit_code,
            scheduler="danang",
            scheduler_job_id=str(job_id.int % 100_000),
            submitted_at=submitted,
            dispatched_at=submitted + timedelta(seconds=1),
            started_at=started,
            ended_at=ended,
            settled_at=ended,
            tasks_total=spec.task_count,
            estimated_vnd=estimated,
            charged_vnd=charged,
            **counts,
        )
    )
    runs = counts["tasks_running"] + counts["tasks_completed"] + counts["tasks_failed"]
    for index in range(runs):
        connection.execute(insert(JobTask).values(_run(job_id, index, counts, facts, started)))
    told = [Event(job_id, project_id, "job.submitted", {"name": facts.name})]
    if started:
        told.append(Event(job_id, project_id, "job.state", {"state": facts.state}))
    events.record(connection, told, at=submitted)


def _ledger(
    connection: Connection, city: City, facts: Facts, spec: JobSpec, ended: datetime | None
) -> tuple[int, int]:
    """Hold the budget of a job for real, and settle it when it ended: estimated and charged đồng."""
    price_list = current_price_list(connection, NOW)
    priced = estimate(
        spec.resources.tres,
        walltime_seconds=spec.resources.walltime_seconds or 0,
        tasks=spec.task_count,
        partition="main",
        price_list=price_list,
    )
    if facts.phase is Phase.REFUSED:
        return priced.vnd, 0
    job_id = city.jobs[facts.name]
    hold(
        connection,
        project_id=city.projects[facts.account],
        job_id=job_id,
        unit=priced.unit,
        units=priced.units,
        partition="main",
        price_list=price_list,
        at=NOW,
    )
    if ended is None:
        return priced.vnd, 0
    run = RunUsage(
        run_key=f"danang/{job_id}/0/0",
        user_id=city.users[facts.username],
        tres_seconds=times(spec.resources.tres, _RUN_SECONDS),
        elapsed_seconds=_RUN_SECONDS,
        state=facts.state,
        started_at=ended - timedelta(seconds=_RUN_SECONDS),
        ended_at=ended,
        closes_unit=True,
    )
    [charge] = settle_runs(connection, job_id=job_id, runs=[run], at=NOW)
    return priced.vnd, charge.vnd


def _spec(facts: Facts) -> JobSpec:
    if facts.template:
        template = catalog.template(facts.template)
        spec = template.render(template.validate(facts.parameters))
        return spec.model_copy(update={"partition": "main", "account": facts.account})
    return JobSpec(
        name=facts.name,
        script="#!/bin/bash\nmake regress SEEDS=20\n",
        partition="main",
        account=facts.account,
        resources=ResourceRequest(
            cpus_per_task=4,
            memory_mib_per_node=8192,
            gpus_per_node={"h100": facts.gpus} if facts.gpus else {},
            walltime_seconds=7200,
        ),
    )


def _regression_results(workspace: Path) -> None:
    """42 tasks, 8 still running and 4 pending: every third result of the first test fails, for two causes."""
    folder = workspace / "regression" / "results"
    folder.mkdir(parents=True)
    (workspace / "logs").mkdir()
    for index in range(8, 38):
        line = f"TB_ERROR [LEVEL] t={index}0 level mismatch: got {index} expected {index + 1}"
        if index % 2:
            line = f"TB_ERROR [SCOREBOARD] t={index}0 data mismatch: got 0x{index:x} expected 0x0"
        has_failed = index < 14 and index % 3 != 0
        facts = ["exit_code=0", "pass_seen=no" if has_failed else "pass_seen=yes", "stage=run"]
        if has_failed:
            facts += [f"fail_line={line}", "fail_line_number=2"]
        (folder / str(index)).write_text("\n".join(facts) + "\n")
        (workspace / "logs" / f"random-{index + 1}.log").write_text(f"TB_START seed={index + 1}\n{line}\n")


def _training_results(workspace: Path) -> None:
    epochs = [
        {"event": "epoch", "epoch": n, "train_loss": 2.3 * 0.93**n, "val_acc": 1 - 0.9 * 0.9**n}
        for n in range(60)
    ]
    lines = [*epochs, {"event": "done", "epoch": 59}]
    (workspace / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _counts(state: JobState, total: int) -> Mapping[str, int]:
    counts = {"tasks_running": 0, "tasks_completed": 0, "tasks_failed": 0, "tasks_cancelled": 0}
    match state:
        case JobState.RUNNING if total > 1:
            counts.update(tasks_running=8, tasks_completed=26, tasks_failed=4)
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


def _run(
    job_id: UUID, index: int, counts: Mapping[str, int], facts: Facts, started: datetime | None
) -> dict[str, Any]:
    is_running = index < counts["tasks_running"]
    has_failed = not is_running and index < counts["tasks_running"] + counts["tasks_failed"]
    state = JobState.RUNNING if is_running else JobState.FAILED if has_failed else JobState.COMPLETED
    ended = None if is_running or started is None else started + timedelta(seconds=_RUN_SECONDS)
    return {
        "job_id": job_id,
        "task_index": index,
        "attempt": 0,
        "state": facts.state if facts.state.is_terminal else state,
        "exit_code": facts.exit_code if has_failed else None if is_running else 0,
        "placement": {"shares": [{"node": f"dn-gpu{index % 4 + 1:02}"}]},
        "placed_at": started,
        "started_at": started,
        "ended_at": ended,
        "elapsed_seconds": None if is_running else _RUN_SECONDS,
        "allocated_tres": {"cpu": 4, "mem": 8192, "node": 1},
        "cpu_seconds": 0 if is_running else 6_300.0,
        "max_rss_mib": 5_120,
        "settled_at": ended,
    }
