"""Subsidy rules: make one, end one, read those that may apply, load the one that a hold pinned."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from quotas.checks import require_instant, require_whole
from quotas.errors import InvalidAmount
from quotas.money import Vnd
from quotas.subsidies import NO_SUBSIDY, WHOLE, Beneficiary, Subsidy, SubsidyRule, choose
from quotas.subsidy_tables import ProgrammeProject, SubsidyRuleRow
from quotas.tables import Organisation, OrganisationKind, Project, table_of

_RULES = table_of(SubsidyRuleRow)
_TAKES_PART = table_of(ProgrammeProject)
_PROJECTS = table_of(Project)
_ORGANISATIONS = table_of(Organisation)

_PINNED = select(_RULES.c.id, _RULES.c.basis_points, _RULES.c.cap_vnd).where(_RULES.c.id == bindparam("rule"))
_BENEFICIARIES = select(_PROJECTS.c.id, _PROJECTS.c.organisation_id, _ORGANISATIONS.c.kind).join_from(
    _PROJECTS, _ORGANISATIONS, _ORGANISATIONS.c.id == _PROJECTS.c.organisation_id
)


def make_subsidy_rule(  # noqa: PLR0913 - one row, every column by keyword
    conn: Connection,
    *,
    basis_points: int,
    valid_from: datetime,
    valid_to: datetime | None = None,
    organisation_id: UUID | None = None,
    programme: str | None = None,
    organisation_kind: OrganisationKind | None = None,
    cap_vnd: Vnd | None = None,
    reason: str,
    actor_id: UUID | None,
    at: datetime,
) -> int:
    """Add a rule; its id. Jobs that are held already keep theirs. See `subsidies.choose` for overlaps.

    Raises:
        InvalidAmount: more than 100 %, a negative cap, or a period that is empty or began already.
    """
    require_whole("basis_points", basis_points, most=WHOLE)
    if cap_vnd is not None:
        require_whole("cap_vnd", cap_vnd)
    for field, instant in (("valid_from", valid_from), ("valid_to", valid_to)):
        if instant is not None:
            require_instant(field, instant)
    if valid_from < at:
        raise InvalidAmount("valid_from", "must not be in the past: what was charged then stays as it is")
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidAmount("valid_to", "must be after valid_from")
    row = {
        "organisation_id": organisation_id,
        "programme": programme,
        "organisation_kind": organisation_kind,
        "basis_points": basis_points,
        "cap_vnd": cap_vnd,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "reason": reason,
        "created_by": actor_id,
        "created_at": at,
    }
    return int(conn.execute(insert(_RULES).returning(_RULES.c.id), row).scalar_one())


def end_subsidy_rule(
    conn: Connection, *, rule_id: int, valid_to: datetime, actor_id: UUID | None, at: datetime
) -> bool:
    """Let a rule end, now or later; False when it has ended already or will by then, or is not there.

    A rule that has not begun is ended where it would have begun: it never applies.

    Raises:
        InvalidAmount: the end is in the past.
    """
    require_instant("valid_to", valid_to)
    if valid_to < at:
        raise InvalidAmount("valid_to", "must not be in the past: what was charged then stays as it is")
    ends = update(_RULES).where(
        _RULES.c.id == rule_id, _RULES.c.valid_to.is_(None) | (_RULES.c.valid_to > valid_to)
    )
    facts = {"ended_by": actor_id, "ended_at": at}
    future = ends.where(_RULES.c.valid_from > valid_to).values(valid_to=_RULES.c.valid_from, **facts)
    begun = ends.where(_RULES.c.valid_from <= valid_to).values(valid_to=valid_to, **facts)
    return conn.execute(begun).rowcount + conn.execute(future).rowcount == 1


def read_subsidy_rules(conn: Connection, at: datetime) -> list[SubsidyRule]:
    """The rules that apply at that instant or begin later."""
    rows = conn.execute(
        select(_RULES).where(_RULES.c.valid_to.is_(None) | (_RULES.c.valid_to > at)).order_by(_RULES.c.id)
    )
    return [
        SubsidyRule(
            id=row.id,
            subsidy=Subsidy(row.id, row.basis_points, row.cap_vnd),
            organisation_id=row.organisation_id,
            programme=row.programme,
            organisation_kind=row.organisation_kind,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        for row in rows
    ]


def beneficiary(conn: Connection, project_id: UUID, at: datetime) -> Beneficiary:
    """Who pays for a project's jobs at that instant; the project must exist."""
    row = conn.execute(_BENEFICIARIES.where(_PROJECTS.c.id == project_id)).one()
    programmes = conn.execute(
        select(_TAKES_PART.c.programme).where(_TAKES_PART.c.project_id == project_id, _takes_part(at))
    ).scalars()
    return Beneficiary(row.organisation_id, row.kind, frozenset(programmes))


def _takes_part(at: datetime) -> ColumnElement[bool]:
    return (_TAKES_PART.c.added_at <= at) & (
        _TAKES_PART.c.removed_at.is_(None) | (_TAKES_PART.c.removed_at > at)
    )


def subsidy_of(conn: Connection, project_id: UUID, at: datetime) -> Subsidy:
    """What applies to a job of the project at that instant."""
    rules = read_subsidy_rules(conn, at)
    return choose(rules, beneficiary(conn, project_id, at), at) if rules else NO_SUBSIDY


@dataclass(frozen=True, slots=True)
class CurrentSubsidies:
    """All that `subsidy_of` reads, for every project, to be kept in memory for a moment."""

    rules: Sequence[SubsidyRule]
    beneficiaries: Mapping[UUID, Beneficiary]
    """By project; empty while there is no rule."""

    def of(self, project_id: UUID, at: datetime) -> Subsidy:
        """What applies to a job of the project at that instant."""
        who = self.beneficiaries.get(project_id)
        return choose(self.rules, who, at) if who else NO_SUBSIDY


def current_subsidies(conn: Connection, at: datetime) -> CurrentSubsidies:
    """The rules that apply now or soon, and whom they may benefit."""
    rules = read_subsidy_rules(conn, at)
    if not rules:
        return CurrentSubsidies((), {})
    programmes: dict[UUID, set[str]] = defaultdict(set)
    for row in conn.execute(select(_TAKES_PART).where(_takes_part(at))):
        programmes[row.project_id].add(row.programme)
    return CurrentSubsidies(
        rules,
        {
            row.id: Beneficiary(row.organisation_id, row.kind, frozenset(programmes[row.id]))
            for row in conn.execute(_BENEFICIARIES)
        },
    )


def load_subsidy(conn: Connection, rule_id: int | None) -> Subsidy:
    """What a hold or a record pinned; ended rules, too."""
    if rule_id is None:
        return NO_SUBSIDY
    row = conn.execute(_PINNED, {"rule": rule_id}).one()
    return Subsidy(row.id, row.basis_points, row.cap_vnd)
