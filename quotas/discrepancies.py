"""What does not add up: found again and again as one row, until somebody explains or resolves it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from quotas.journal import insert_once
from quotas.tables import table_of
from quotas.usage_tables import DiscrepancyKind, DiscrepancyRow, DiscrepancyState

_ROWS = table_of(DiscrepancyRow)
_INSERT = {name: statement.returning(_ROWS.c.id) for name, statement in insert_once(_ROWS).items()}
_SEEN = (
    update(_ROWS)
    .where(_ROWS.c.id == bindparam("b_id"))
    .values(facts=bindparam("b_facts"), seen_at=bindparam("b_at"))
)
_REOPENED = _SEEN.where(_ROWS.c.state != DiscrepancyState.OPEN).values(
    state=DiscrepancyState.OPEN, decided_by=None, decided_at=None, reason=""
)
_KEYS_PER_QUERY = 500
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not add up, as a check found it."""

    kind: DiscrepancyKind
    key: str
    """What it is about: unique, and the same each time that it is found."""
    facts: Mapping[str, Any]
    """What was expected and what was found; JSON. Other facts open an explained discrepancy again."""


@dataclass(frozen=True, slots=True)
class ListedDiscrepancy:
    """One row of the work list."""

    id: int
    kind: DiscrepancyKind
    key: str
    facts: Mapping[str, Any]
    found_at: datetime
    seen_at: datetime
    """When it was found again, last."""
    state: DiscrepancyState
    decided_by: UUID | None
    """None while it is open, and when it was gone by itself."""
    decided_at: datetime | None
    reason: str


def report(conn: Connection, findings: Sequence[Finding], *, at: datetime) -> int:
    """Keep findings; how many are news. The caller commits.

    What is open stays open, with the newest facts. What was resolved is open again. What was explained
    stays so while its facts are the same.
    """
    known = _known(conn, {finding.key for finding in findings})
    news = 0
    for finding in sorted({finding.key: finding for finding in findings}.values(), key=lambda one: one.key):
        stored = known.get(finding.key)
        if stored is None:
            news += _insert(conn, finding, at)
            continue
        seen = {"b_id": stored["id"], "b_facts": dict(finding.facts), "b_at": at}
        is_as_explained = stored["state"] == DiscrepancyState.EXPLAINED and stored["facts"] == dict(
            finding.facts
        )
        if stored["state"] == DiscrepancyState.OPEN or is_as_explained:
            conn.execute(_SEEN, seen)
        else:
            news += conn.execute(_REOPENED, seen).rowcount
    return news


def resolve_gone(
    conn: Connection, kind: DiscrepancyKind, *, found: Collection[str], at: datetime, prefix: str = ""
) -> int:
    """Resolve open ones of a kind (and a key's beginning) that a complete check found no more; how many."""
    open_rows = conn.execute(
        select(_ROWS.c.id, _ROWS.c.key).where(
            _ROWS.c.kind == kind,
            _ROWS.c.state == DiscrepancyState.OPEN,
            _ROWS.c.key.startswith(prefix, autoescape=True),
        )
    ).all()
    gone = [row.id for row in open_rows if row.key not in found]
    return sum(
        decide(conn, number, DiscrepancyState.RESOLVED, actor_id=None, reason="It is there no more.", at=at)
        for number in gone
    )


def decide(  # noqa: PLR0913 - the facts of a deed, all by keyword
    conn: Connection,
    number: int,
    state: DiscrepancyState,
    *,
    actor_id: UUID | None,
    reason: str,
    at: datetime,
) -> bool:
    """Explain or resolve an open discrepancy; False when it is not open any more. The caller commits."""
    changed = conn.execute(
        update(_ROWS)
        .where(_ROWS.c.id == number, _ROWS.c.state == DiscrepancyState.OPEN)
        .values(state=state, decided_by=actor_id, decided_at=at, reason=reason)
    )
    return changed.rowcount == 1


def list_discrepancies(
    conn: Connection,
    *,
    state: DiscrepancyState | None = None,
    kind: DiscrepancyKind | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[ListedDiscrepancy]:
    """The newest first."""
    wanted = [
        *([_ROWS.c.state == state] if state is not None else []),
        *([_ROWS.c.kind == kind] if kind is not None else []),
        *([_ROWS.c.id < before] if before is not None else []),
    ]
    rows = conn.execute(select(_ROWS).where(*wanted).order_by(_ROWS.c.id.desc()).limit(limit)).mappings()
    return [_listed(row) for row in rows]


def find_discrepancy(conn: Connection, number: int) -> ListedDiscrepancy | None:
    """One of them."""
    row = conn.execute(select(_ROWS).where(_ROWS.c.id == number)).mappings().first()
    return None if row is None else _listed(row)


def _insert(conn: Connection, finding: Finding, at: datetime) -> int:
    row = {
        "kind": finding.kind,
        "key": finding.key,
        "facts": dict(finding.facts),
        "found_at": at,
        "seen_at": at,
        "state": DiscrepancyState.OPEN,
        "reason": "",
    }
    return len(conn.execute(_INSERT[conn.dialect.name], row).all())


def _known(conn: Connection, keys: Collection[str]) -> dict[str, RowMapping]:
    found: dict[str, RowMapping] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), _KEYS_PER_QUERY):
        some = ordered[start : start + _KEYS_PER_QUERY]
        rows = conn.execute(select(_ROWS).where(_ROWS.c.key.in_(some))).mappings()
        found |= {row["key"]: row for row in rows}
    return found


def _listed(row: RowMapping) -> ListedDiscrepancy:
    return ListedDiscrepancy(**{name: row[name] for name in ListedDiscrepancy.__slots__})
