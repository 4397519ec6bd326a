"""Grants that are used too little, and how much of each could be granted to somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.reports import written
from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Named, Share, Table
from hpc_portal.app.reports.forecast import most_needed
from hpc_portal.app.reports.grant_outlooks import LINES_IN_FORCE, grant_outlooks
from hpc_portal.app.reports.period import local_day
from hpc_portal.app.reports.phrases import asset_name, say
from hpc_portal.app.services import Services
from quotas.amounts import Asset
from quotas.tables import Allocation, AllocationLine, LedgerAccount, Organisation, Project, table_of

_GRACE_DAYS = 14
"""A grant that is younger is not idle: people are still setting up."""
_LEAST_PERCENT = 10
"""Less than this of a grant is not worth an administrator's time."""


@dataclass(frozen=True, slots=True)
class IdleGrant:
    """One asset of an allocation in force."""

    allocation_id: UUID
    organisation: str
    project: str
    asset: Asset
    granted: int
    used: int
    held: int
    available: int
    period_passed: Share
    """Days of its period, of all."""
    days_left: int
    needed: int
    """What it will use until it ends, at the high end: nine of ten futures use less."""

    @property
    def regrantable(self) -> int:
        """Available, and most likely never used."""
        return max(self.available - max(self.needed - self.held, 0), 0)


_AVAILABLE = table_of(LedgerAccount).alias("available")
_HELD = table_of(LedgerAccount).alias("held")
_CONSUMED = table_of(LedgerAccount).alias("consumed")
_LINES_IN_FORCE = (
    select(
        col(Allocation.id),
        col(Allocation.valid_from),
        col(Allocation.valid_to),
        col(Organisation.slug).label("organisation"),
        col(Project.account),
        col(AllocationLine.asset),
        _AVAILABLE.c.balance.label("available"),
        _HELD.c.balance.label("held"),
        _CONSUMED.c.balance.label("consumed"),
    )
    .join_from(Allocation, AllocationLine, col(AllocationLine.allocation_id) == col(Allocation.id))
    .join(Project, col(Project.id) == col(Allocation.project_id))
    .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
    .join(_AVAILABLE, _AVAILABLE.c.id == col(AllocationLine.available_id))
    .join(_HELD, _HELD.c.id == col(AllocationLine.held_id))
    .join(_CONSUMED, _CONSUMED.c.id == col(AllocationLine.consumed_id))
    .where(*LINES_IN_FORCE)
)


def idle_grants(services: Services, actor: Actor, *, at: datetime) -> list[IdleGrant]:
    """Lines of which a tenth or more could be re-granted, the largest share first.

    Balances are of now; what was used on days that are over may be `grant_outlooks.KEPT_SECONDS` old.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    today, outlooks = local_day(at), services.grant_outlooks.get()
    with services.reading() as session:
        connection = session.connection()
        if outlooks.today != today:
            outlooks = grant_outlooks(connection, at)
        lines = connection.execute(_LINES_IN_FORCE, {"at": at}).all()
    found = []
    for row in lines:
        first, last = local_day(row.valid_from), local_day(row.valid_to - timedelta(seconds=1))
        if (today - first).days < _GRACE_DAYS or row.available <= 0:
            continue
        left = row.available + row.held
        ways = outlooks.ways.get((row.id, row.asset))
        found.append(
            IdleGrant(
                allocation_id=row.id,
                organisation=row.organisation,
                project=row.account,
                asset=row.asset,
                granted=row.available + row.held + row.consumed,
                used=row.consumed,
                held=row.held,
                available=row.available,
                period_passed=Share((today - first).days, (last - first).days + 1),
                days_left=max((last - today).days, 0),
                needed=left if ways is None else most_needed(ways, left),
            )
        )
    worth = [one for one in found if 100 * one.regrantable >= _LEAST_PERCENT * one.granted > 0]
    return sorted(worth, key=lambda one: (-one.regrantable / one.granted, one.project, one.asset))


def idle_grants_document(found: Sequence[IdleGrant], edition: Edition) -> Document:
    """A line for each asset of a grant. Pure."""
    language = edition.language
    numbers = (
        *("granted", "used", "held", "share_used", "period_passed", "days_left", "needed", "regrantable"),
    )
    table = Table(
        key="idle_grants",
        title=say("idle_grants", language),
        columns=[
            Column("organisation", say("organisation", language)),
            Column("project", say("project", language)),
            Column("allocation_id", say("allocation", language), is_for_programs=True),
            Column("asset", say("resource", language)),
            Column("unit", say("unit", language), is_for_programs=True),
            *(Column(name, say(name, language), is_number=True) for name in numbers),
        ],
        rows=[_row(one, language) for one in found],
        note=say("idle_grants_note", language),
    )
    return Document(
        key="idle-grants",
        edition=edition,
        title=say("idle_grants", language),
        subtitle=written.day(local_day(edition.made_at), language),
        facts=[],
        tables=[table],
    )


def _row(one: IdleGrant, language: str) -> list[Cell]:
    return [
        one.organisation,
        one.project,
        str(one.allocation_id),
        Named(one.asset, asset_name(one.asset, language)),
        Amount(one.asset, 0).unit,
        *(Amount(one.asset, amount) for amount in (one.granted, one.used, one.held)),
        Share(one.used, one.granted),
        one.period_passed,
        one.days_left,
        *(Amount(one.asset, amount) for amount in (one.needed, one.regrantable)),
    ]
