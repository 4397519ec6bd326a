"""Draft a request and change it; nobody is told of it before it is submitted."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.accounts.find import FoundProject, find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem, ProjectNotFound
from hpc_portal.app.ids import new_id
from hpc_portal.app.permissions import Action
from hpc_portal.app.requests.amounts import round_up
from hpc_portal.app.requests.checks import (
    Target,
    WantedQuota,
    first_today,
    line_problems,
    period_problems,
    text_problems,
)
from hpc_portal.app.requests.move import load_for, move, note, record_event
from hpc_portal.app.requests.tables import QuotaRequest, RequestLine
from hpc_portal.app.requests.transitions import Deed, RequestKind, RequestState
from hpc_portal.app.services import Services
from quotas.amounts import Asset
from quotas.errors import NoPriceList
from quotas.journal import insert_once
from quotas.pricing import PriceList
from quotas.tables import (
    Allocation,
    AllocationLine,
    AllocationState,
    Organisation,
    Project,
    TenantState,
    table_of,
)
from schedulers import tres
from schedulers.cluster import ClusterSnapshot

_REQUESTS = table_of(QuotaRequest)
_USUAL_PERIOD = timedelta(days=90)
"""What a first request for a project without any allocation asks for, until somebody says otherwise."""


def draft_request(
    services: Services, actor: Actor, account: str, wanted: WantedQuota, *, key: str | None = None
) -> UUID:
    """Returns the new request's id; the same key again returns the same request.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but may not ask for it.
        InvalidEntry: with every problem.
    """
    now = services.clock.now()
    known = known_assets(services)

    def work(connection: Connection) -> UUID:
        project = find_asking_project(connection, actor, account)
        if key and (before := _drafted_before(connection, actor, key)):
            return before
        whole = complete(connection, project.id, wanted, now)
        check(connection, project.id, whole, known, now)
        request_id = new_id()
        row = {
            "id": request_id,
            "organisation_id": project.organisation_id,
            "project_id": project.id,
            "requested_by": actor.user_id,
            "draft_key": key,
            "state": RequestState.DRAFT,
            "version": 1,
            "created_at": now,
            **_columns(whole),
        }
        made = connection.execute(
            insert_once(_REQUESTS)[connection.dialect.name].returning(_REQUESTS.c.id), row
        )
        if made.first() is None and (before := _drafted_before(connection, actor, key or "")):
            return before  # by the same request, sent twice at once
        _insert_lines(connection, request_id, whole)
        record_event(
            connection,
            request_id=request_id,
            deed=Deed.DRAFT,
            before=None,
            after=RequestState.DRAFT,
            actor=actor,
            at=now,
            message="",
            facts=facts_of(whole),
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="request.drafted",
            subject=account,
            request_id=str(request_id),
            **facts_of(whole),
        )
        return request_id

    return transact(services.engine, work)


def edit_request(
    services: Services, actor: Actor, request_id: UUID, wanted: WantedQuota, *, version: int | None = None
) -> None:
    """Change all that a draft, or a request that was returned, asks for.

    Args:
        services: the portal's.
        actor: who changes it.
        request_id: which.
        wanted: all of what it asks for from now on.
        version: the one that was read; changes of others in between are then not overwritten.

    Raises:
        NotFound, NotAllowed, InvalidEntry: as in `draft_request`.
        RequestNotOpen: it is not in a state to be changed, or no longer as it was read.
    """
    now = services.clock.now()
    known = known_assets(services)

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, Deed.EDIT)
        whole = complete(connection, request.project_id, wanted, now)
        check(connection, request.project_id, whole, known, now)
        move(
            connection,
            request,
            Deed.EDIT,
            actor,
            at=now,
            seen_version=version,
            changes=_columns(whole),
            facts=facts_of(whole),
        )
        connection.execute(delete(RequestLine).where(col(RequestLine.request_id) == request_id))
        _insert_lines(connection, request_id, whole)
        note(connection, request, Deed.EDIT, actor, at=now, facts=facts_of(whole))

    transact(services.engine, work)


def wanted_for_shortage(
    services: Services, actor: Actor, account: str, missing: Mapping[Asset, int]
) -> WantedQuota:
    """The request that would have let a refused job through: what was missing, rounded up to whole hours.

    It increases the allocation that ends last among those that have lines for all of it; a project that has
    none asks for a new one.

    Raises:
        ProjectNotFound, NotAllowed: as in `draft_request`.
    """
    now = services.clock.now()
    with services.reading() as session:
        connection = session.connection()
        project = find_asking_project(connection, actor, account)
        target = find_target(connection, project.id, None, now, with_assets=missing.keys())
    lines = {asset: round_up(asset, amount) for asset, amount in missing.items()}
    if target is not None:
        return WantedQuota(
            RequestKind.INCREASE,
            lines,
            valid_from=max(now, target.valid_from),
            valid_to=target.valid_to,
            allocation_id=target.id,
        )
    begin = first_today(now)
    return WantedQuota(RequestKind.NEW, lines, valid_from=begin, valid_to=begin + _USUAL_PERIOD)


def find_asking_project(connection: Connection, actor: Actor, account: str) -> FoundProject:
    """The project, when the actor may ask for it.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but may not.
    """
    project = find_project(connection, account)
    permissions.require(
        actor,
        Action.REQUEST,
        organisation_id=project.organisation_id,
        project_id=project.id,
        hidden_as=ProjectNotFound(account),
    )
    return project


def find_target(
    connection: Connection,
    project_id: UUID,
    allocation_id: UUID | None,
    now: datetime,
    *,
    with_assets: Collection[Asset] = (),
) -> Target | None:
    """The allocation that a request is about: the one it names, or the project's that ends last."""
    statement = select(col(Allocation.id), col(Allocation.valid_from), col(Allocation.valid_to)).where(
        col(Allocation.project_id) == project_id
    )
    if allocation_id is None:
        statement = statement.where(
            col(Allocation.state) == AllocationState.ACTIVE, col(Allocation.valid_to) > now
        )
    else:
        statement = statement.where(
            col(Allocation.id) == allocation_id,
            col(Allocation.state).not_in([AllocationState.CLOSED]),
        )
    for asset in with_assets:
        lines = select(col(AllocationLine.allocation_id)).where(col(AllocationLine.asset) == asset)
        statement = statement.where(col(Allocation.id).in_(lines))
    row = connection.execute(
        statement.order_by(col(Allocation.valid_to).desc(), col(Allocation.id)).limit(1)
    ).first()
    if row is None:
        return None
    assets = connection.scalars(
        select(col(AllocationLine.asset)).where(col(AllocationLine.allocation_id) == row.id)
    )
    return Target(row.id, row.valid_from, row.valid_to, frozenset(assets))


def complete(connection: Connection, project_id: UUID, wanted: WantedQuota, now: datetime) -> WantedQuota:
    """With the allocation found, and the period where the kind of request leaves no choice."""
    if wanted.kind in {RequestKind.NEW, RequestKind.SURGE}:
        return replace(wanted, allocation_id=None)
    target = find_target(connection, project_id, wanted.allocation_id, now)
    if target is None:
        return wanted
    match wanted.kind:
        case RequestKind.EXTEND:
            return replace(wanted, allocation_id=target.id, valid_from=target.valid_from)
        case RequestKind.INCREASE:
            return replace(
                wanted,
                allocation_id=target.id,
                valid_from=max(min(now, target.valid_to - timedelta(seconds=1)), target.valid_from),
                valid_to=target.valid_to,
            )
        case _:
            return replace(wanted, allocation_id=target.id)


def check(
    connection: Connection, project_id: UUID, wanted: WantedQuota, known: frozenset[Asset], now: datetime
) -> None:
    """Refuse what cannot be asked.

    Raises:
        InvalidEntry: with every problem.
    """
    needs_target = wanted.kind not in {RequestKind.NEW, RequestKind.SURGE}
    target = find_target(connection, project_id, wanted.allocation_id, now) if needs_target else None
    require(
        [
            *line_problems(wanted, known),
            *text_problems(wanted),
            *period_problems(wanted, target, now),
            closed_problem(connection, project_id),
        ]
    )


def known_assets(services: Services) -> frozenset[Asset]:
    """Every resource that a cluster has or a price list prices; empty when neither is known yet."""
    try:
        priced = services.price_list.get()
    except NoPriceList:
        priced = None
    return assets_of(services.clusters.get(), priced)


def assets_of(clusters: list[ClusterSnapshot], priced: PriceList | None) -> frozenset[Asset]:
    """The same from what is known of the clusters and the prices."""
    found = {item.tres for item in priced.items} if priced else set()
    for cluster in clusters:
        found |= {tres.CPU, tres.MEM}
        found |= {tres.gpu_tres(kind) for node in cluster.nodes for kind in node.gpus}
        found |= {f"license/{item.feature}" for item in cluster.licenses}
    if any(name.startswith(tres.GPU) for name in found):
        found.add(tres.GPU)
    return frozenset(found)


def facts_of(wanted: WantedQuota) -> dict[str, Any]:
    """What it asks for, for the history and the audit log: JSON."""
    return {
        "kind": wanted.kind.value,
        "lines": dict(wanted.lines),
        "valid_from": wanted.valid_from and wanted.valid_from.isoformat(),
        "valid_to": wanted.valid_to and wanted.valid_to.isoformat(),
        "allocation_id": wanted.allocation_id and str(wanted.allocation_id),
    }


def closed_problem(connection: Connection, project_id: UUID) -> Problem | None:
    """Whether nothing can be granted to it any more."""
    states = connection.execute(
        select(col(Project.state), col(Organisation.state))
        .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
        .where(col(Project.id) == project_id)
    ).one()
    if TenantState.CLOSED in states:
        return Problem("project", "The project or its organisation is closed: it cannot be granted anything.")
    return None


def _drafted_before(connection: Connection, actor: Actor, key: str) -> UUID | None:
    found: UUID | None = connection.execute(
        select(col(QuotaRequest.id)).where(
            col(QuotaRequest.requested_by) == actor.user_id, col(QuotaRequest.draft_key) == key
        )
    ).scalar()
    return found


def _columns(wanted: WantedQuota) -> Mapping[str, Any]:
    return {
        "kind": wanted.kind,
        "allocation_id": wanted.allocation_id,
        "valid_from": wanted.valid_from,
        "valid_to": wanted.valid_to,
        "purpose": wanted.purpose.strip(),
    }


def _insert_lines(connection: Connection, request_id: UUID, wanted: WantedQuota) -> None:
    rows = [
        {
            "request_id": request_id,
            "asset": asset,
            "asked": amount,
            "reason": wanted.reasons.get(asset, "").strip(),
        }
        for asset, amount in sorted(wanted.lines.items())
    ]
    if rows:
        connection.execute(insert(RequestLine), rows)
