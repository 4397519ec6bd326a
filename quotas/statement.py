"""A month's statement of a project or organisation: what was there, what came and went, what is left."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from hashlib import sha256
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select, text, true

from quotas.amounts import Asset
from quotas.money import VND, Vnd
from quotas.periods import first_open_month, next_month
from quotas.slice_run import day_begins_at
from quotas.tables import (
    AccountKind,
    AccountOwner,
    Allocation,
    AllocationLine,
    Entry,
    LedgerAccount,
    Project,
    Transfer,
    TransferKind,
    table_of,
)
from quotas.usage_tables import ClosedStatement, UsageAsset


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One asset: `closing` is the sum of all others, with these signs."""

    asset: Asset
    opening: int
    granted: int
    """Grants, and what administrators added or took back."""
    moved: int
    """From other allocations (also carried over) less to others; zero in sum over all that take part."""
    charged: int
    """Zero or negative: what days of this month cost, as recorded before it was closed."""
    late: int
    """What days of closed months cost otherwise than recorded then: either sign, mostly negative."""
    refunded: int
    expired: int
    """Zero or negative."""
    closing: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of one month."""

    month: date
    """Its first day."""
    organisation_id: UUID
    project_id: UUID | None
    """None: of all projects of the organisation."""
    is_closed: bool
    """Closed months never change; an open one goes on until it is closed."""
    lines: Sequence[StatementLine]
    list_vnd: Vnd
    """Gross: at list prices, late adjustments included."""
    subsidy_vnd: Vnd
    vnd: Vnd
    """Net: what was charged, so that list_vnd - subsidy_vnd = vnd."""
    sha256: str | None
    """Of the stored statement of a closed month and project; of an organisation, of its projects' ones."""


def statement(
    conn: Connection, *, month: date, organisation_id: UUID | None = None, project_id: UUID | None = None
) -> Statement:
    """What the month brought to one project or to all of an organisation; give exactly one of the two.

    A closed month is read as it was stored. A day's use counts in its own month whenever its record came,
    unless that month was closed: so the closing amount is what is available and held, less the use of later
    days. Used resources that no allocation counts have no line here.

    Raises:
        ValueError: neither or both are given, or `month` is not the first of a month.
        LookupError: no such project or organisation.
    """
    if (organisation_id is None) == (project_id is None) or month.day != 1:
        message = "give a project or an organisation, and the first day of a month"
        raise ValueError(message)
    of = _PROJECTS.c.id == project_id if project_id else _PROJECTS.c.organisation_id == organisation_id
    owners = {row.id: row.organisation_id for row in conn.execute(select(_PROJECTS).where(of))}
    if project_id is not None and not owners:
        raise LookupError(project_id)
    is_closed = month < first_open_month(conn)
    parts = _stored(conn, month, owners) if is_closed else project_statements(conn, month, owners)
    organisation = organisation_id or owners[next(iter(owners))]
    return _together(parts, month, organisation, project_id, is_closed=is_closed)


def project_statements(conn: Connection, month: date, owners: Mapping[UUID, UUID]) -> list[Statement]:
    """The statements of projects (with their organisations), computed anew; those without lines as well."""
    lines: dict[UUID, dict[Asset, Counter[str]]] = {project: {} for project in owners}
    for project, asset, column, amount in _amounts(conn, month, owners):
        lines[project].setdefault(asset, Counter())[column] += amount
    vnd = _list_and_net(conn, month, owners)
    return [
        Statement(
            month,
            organisation,
            project,
            is_closed=False,
            lines=[_line(asset, amounts) for asset, amounts in sorted(lines[project].items())],
            list_vnd=vnd[project][0],
            subsidy_vnd=vnd[project][0] - vnd[project][1],
            vnd=vnd[project][1],
            sha256=None,
        )
        for project, organisation in sorted(owners.items())
    ]


def write_body(of: Statement) -> str:
    """A project's statement word for word, as it is stored and hashed."""
    facts = {
        "month": of.month.isoformat(),
        "organisation_id": str(of.organisation_id),
        "project_id": str(of.project_id),
        "lines": [asdict(line) for line in of.lines],
        "list_vnd": of.list_vnd,
        "subsidy_vnd": of.subsidy_vnd,
        "vnd": of.vnd,
    }
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def read_body(body: str) -> Statement:
    """The statement that was stored."""
    facts = json.loads(body)
    return Statement(
        month=date.fromisoformat(facts["month"]),
        organisation_id=UUID(facts["organisation_id"]),
        project_id=UUID(facts["project_id"]),
        is_closed=True,
        lines=[StatementLine(**line) for line in facts["lines"]],
        list_vnd=facts["list_vnd"],
        subsidy_vnd=facts["subsidy_vnd"],
        vnd=facts["vnd"],
        sha256=hash_body(body),
    )


def hash_body(body: str) -> str:
    """SHA-256 of what is stored."""
    return sha256(body.encode()).hexdigest()


_PROJECTS = table_of(Project)
_ALLOCATIONS, _ALLOCATION_LINES = table_of(Allocation), table_of(AllocationLine)
_ACCOUNTS, _TRANSFERS, _ENTRIES = table_of(LedgerAccount), table_of(Transfer), table_of(Entry)
_ASSETS, _STATEMENTS = table_of(UsageAsset), table_of(ClosedStatement)
_OWN = (AccountKind.AVAILABLE, AccountKind.HELD)
_FEW_KINDS = text("transfer.kind NOT IN ('hold', 'settle', 'release', 'correct')")
"""As in `ix_transfer_few`: what runs move is read from the roll-ups."""
_COLUMN_OF = {
    TransferKind.GRANT: "granted",
    TransferKind.ADJUST: "granted",
    TransferKind.MOVE: "moved",
    TransferKind.CARRY: "moved",
    TransferKind.REFUND: "refunded",
    TransferKind.EXPIRE: "expired",
}
_MOST_BY_ID = 500


def _amounts(
    conn: Connection, month: date, owners: Collection[UUID]
) -> Iterator[tuple[UUID, Asset, str, int]]:
    """By project and asset: the column of the statement, and what to add to it."""
    after = next_month(month)
    begins_at = day_begins_at(month)
    is_before = _TRANSFERS.c.booked_at < begins_at
    moved = (
        select(
            _ALLOCATIONS.c.project_id,
            _ACCOUNTS.c.asset,
            _TRANSFERS.c.kind,
            is_before.label("is_before"),
            func.sum(_ENTRIES.c.amount).label("amount"),
        )
        .join_from(_TRANSFERS, _ENTRIES, _ENTRIES.c.transfer_id == _TRANSFERS.c.id)
        .join(_ACCOUNTS, _ACCOUNTS.c.id == _ENTRIES.c.account_id)
        .join(_ALLOCATIONS, _ALLOCATIONS.c.id == _ACCOUNTS.c.owner_id)
        .where(
            _FEW_KINDS,
            _TRANSFERS.c.booked_at < day_begins_at(after),
            _ACCOUNTS.c.owner_kind == AccountOwner.ALLOCATION,
            _ACCOUNTS.c.kind.in_(_OWN),
            _is_one_of(_ALLOCATIONS.c.project_id, owners),
        )
        .group_by(_ALLOCATIONS.c.project_id, _ACCOUNTS.c.asset, _TRANSFERS.c.kind, text("is_before"))
    )
    for row in conn.execute(moved):
        if row.project_id in owners:
            yield (
                row.project_id,
                row.asset,
                "opening" if row.is_before else _COLUMN_OF[row.kind],
                int(row.amount),
            )
    was_before = _ASSETS.c.month < month
    used = (
        select(
            _ASSETS.c.project_id,
            _ASSETS.c.asset,
            was_before.label("is_before"),
            _ASSETS.c.is_late,
            func.sum(_ASSETS.c.charged).label("amount"),
        )
        .join(
            _ALLOCATION_LINES,
            (_ALLOCATION_LINES.c.allocation_id == _ASSETS.c.allocation_id)
            & (_ALLOCATION_LINES.c.asset == _ASSETS.c.asset),
        )
        .where(_ASSETS.c.month < after, _is_one_of(_ASSETS.c.project_id, owners))
        .group_by(_ASSETS.c.project_id, _ASSETS.c.asset, text("is_before"), _ASSETS.c.is_late)
    )
    for row in conn.execute(used):
        if row.project_id in owners:
            column = "opening" if row.is_before else "late" if row.is_late else "charged"
            yield row.project_id, row.asset, column, -int(row.amount)


def _list_and_net(conn: Connection, month: date, owners: Collection[UUID]) -> Mapping[UUID, tuple[Vnd, Vnd]]:
    rows = conn.execute(
        select(
            _ASSETS.c.project_id,
            func.sum(_ASSETS.c.used).label("gross"),
            func.sum(_ASSETS.c.charged).label("net"),
        )
        .where(_ASSETS.c.month == month, _ASSETS.c.asset == VND, _is_one_of(_ASSETS.c.project_id, owners))
        .group_by(_ASSETS.c.project_id)
    )
    found = {row.project_id: (int(row.gross), int(row.net)) for row in rows}
    return {project: found.get(project, (0, 0)) for project in owners}


def _is_one_of(column: ColumnElement[UUID], ids: Collection[UUID]) -> ColumnElement[bool]:
    """Of very many, all are read: whoever asks drops the others."""
    return column.in_(list(ids)) if len(ids) <= _MOST_BY_ID else true()


def _line(asset: Asset, amounts: Mapping[str, int]) -> StatementLine:
    columns = {name: amounts.get(name, 0) for name in _SUMMED}
    return StatementLine(asset=asset, **columns, closing=sum(columns.values()))


_SUMMED = tuple(field.name for field in fields(StatementLine) if field.name not in {"asset", "closing"})


def _stored(conn: Connection, month: date, projects: Collection[UUID]) -> list[Statement]:
    """Statements of a closed month; a project that is younger than it has none."""
    rows = conn.execute(
        select(_STATEMENTS.c.body)
        .where(_STATEMENTS.c.month == month, _is_one_of(_STATEMENTS.c.project_id, projects))
        .order_by(_STATEMENTS.c.project_id)
    )
    return [of for of in map(read_body, rows.scalars()) if of.project_id in projects]


def _together(
    parts: Sequence[Statement],
    month: date,
    organisation_id: UUID,
    project_id: UUID | None,
    *,
    is_closed: bool,
) -> Statement:
    """The sum of statements."""
    sums: dict[Asset, Counter[str]] = {}
    for part in parts:
        for line in part.lines:
            total = sums.setdefault(line.asset, Counter())
            for name in _SUMMED:
                total[name] += getattr(line, name)
    hashes = [part.sha256 for part in parts if part.sha256]
    joined = hashes[0] if project_id and hashes else hash_body("".join(hashes)) if hashes else None
    return Statement(
        month,
        organisation_id,
        project_id,
        is_closed=is_closed,
        lines=[_line(asset, amounts) for asset, amounts in sorted(sums.items())],
        list_vnd=sum(part.list_vnd for part in parts),
        subsidy_vnd=sum(part.subsidy_vnd for part in parts),
        vnd=sum(part.vnd for part in parts),
        sha256=joined,
    )
