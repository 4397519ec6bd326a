"""A small city for tests: two competing startups, their people, a price list and grants."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event, insert, inspect
from sqlmodel import Session

from hpc_portal.app import cluster_views
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.clock import Clock
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.ids import new_id
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole, User
from quotas.grant import grant
from quotas.pricing import PriceItem
from quotas.publish_prices import publish_price_list
from quotas.tables import Organisation, OrganisationKind, Project, TenantState
from schedulers.cluster import ClusterSnapshot, Node, NodeState, Partition
from tests.databases import create_portal_tables

GRANTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = (
    PriceItem("cpu", 360),
    PriceItem("mem", 36),
    PriceItem("gres/gpu:h100", 36_000),
    PriceItem("license/vcs", 7_200),
)
"""360 đồng a CPU-hour is 0.1 a second: ten seconds of one CPU cost one đồng."""

BUDGET = {"VND": 100_000_000}


class SilentWake:
    """Nobody listens in tests that step the loops by hand."""

    def notify(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One startup with one project, its lead and a member."""

    organisation_id: UUID
    project_id: UUID
    account: str
    lead: Actor
    member: Actor


@dataclass(frozen=True, slots=True)
class City:
    """Everything that a test needs to submit jobs as somebody."""

    services: Services
    chips: Tenant
    rivals: Tenant


def cluster(name: str = "memory") -> ClusterSnapshot:
    """One node with 64 CPUs and 8 GPUs, as MemoryScheduler has it."""
    node = Node("n1", NodeState.UP, cpus=64, memory_mib=256 * 1024, gpus={"h100": 8})
    partition = Partition("main", ("n1",), 7 * 86_400, 3600, is_default=True)
    return ClusterSnapshot(name, GRANTED_AT, (partition,), (node,))


def build_city(  # noqa: PLR0913 - a test names the one or two that it cares about
    url: str,
    folder: Path,
    *,
    clock: Clock,
    budget: dict[str, int] | None = None,
    cluster_name: str = "memory",
    slurm: SlurmSettings | None = None,
) -> City:
    """The city in a database without rows, or without tables; `slurm` adds a cluster that looks the same."""
    settings = Settings(state_dir=folder, database_url=url, cluster_name=cluster_name, slurm=slurm)
    engine = create_engine(url)
    if url.startswith("sqlite"):
        event.listen(engine, "connect", _forgo_power_cuts)
    if not inspect(engine).has_table("organisation"):
        create_portal_tables(engine)

    def create(connection: Connection) -> list[tuple[UUID, UUID, UUID, UUID]]:
        publish_price_list(connection, PRICES, valid_from=GRANTED_AT, actor_id=None, at=GRANTED_AT)
        for name in settings.cluster_names:
            cluster_views.save(connection, cluster(name))
        return [_tenant(connection, name, number, budget or BUDGET) for number, name in enumerate(_NAMES)]

    tenants = transact(engine, create)
    services = Services(
        settings=settings, engine=engine, commits=GroupCommit(engine), wake=SilentWake(), clock=clock
    )
    with services.reading() as session:
        chips, rivals = (
            Tenant(organisation, project, name, _actor(session, lead), _actor(session, member))
            for name, (organisation, project, lead, member) in zip(_NAMES, tenants, strict=True)
        )
    return City(services, chips, rivals)


_NAMES = ("chips", "rivals")


def _forgo_power_cuts(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DB-API connection
    """Tests kill processes, not the machine: what is committed need not reach the disk."""
    connection.execute("PRAGMA synchronous = OFF")


def _actor(session: Session, user_id: UUID) -> Actor:
    actor = load_actor(session, user_id)
    assert actor
    return actor


def _tenant(
    connection: Connection, name: str, number: int, budget: dict[str, int]
) -> tuple[UUID, UUID, UUID, UUID]:
    organisation_id, project_id, lead_id, member_id = (new_id() for _ in range(4))
    connection.execute(
        insert(Organisation).values(
            id=organisation_id,
            slug=f"{name}-org",
            name=f"{name.title()} JSC",
            kind=OrganisationKind.STARTUP,
            state=TenantState.ACTIVE,
            created_at=GRANTED_AT,
        )
    )
    connection.execute(
        insert(Project).values(
            id=project_id,
            organisation_id=organisation_id,
            account=name,
            name=f"{name.title()} first silicon",
            state=TenantState.ACTIVE,
            created_at=GRANTED_AT,
        )
    )
    for index, (user_id, role) in enumerate(((lead_id, ProjectRole.LEAD), (member_id, ProjectRole.MEMBER))):
        username = f"{name}-{role.value}"
        connection.execute(
            insert(User).values(
                id=user_id,
                username=username,
                display_name=username.title(),
                email="",
                password_hash="",
                cluster_user=username,
                cluster_number=2 * number + index,
                locale="en",
                theme="auto",
                is_active=True,
                created_at=GRANTED_AT,
            )
        )
        connection.execute(
            insert(OrganisationMember).values(
                organisation_id=organisation_id, user_id=user_id, role=OrganisationRole.MEMBER
            )
        )
        connection.execute(insert(ProjectMember).values(project_id=project_id, user_id=user_id, role=role))
    grant(
        connection,
        project_id=project_id,
        lines=budget,
        valid_from=GRANTED_AT,
        valid_to=GRANTED_AT + timedelta(days=3650),
        overdraft=None,
        actor_id=None,
        reason="test",
        idempotency_key=f"grant-{name}",
        at=GRANTED_AT,
    )
    return organisation_id, project_id, lead_id, member_id
