"""Who is promoted, and how much less they pay: programmes, their projects, and subsidy rules."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require, slug_problem, title_problem
from hpc_portal.app.accounts.find import find_organisation, find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NameTaken, NotFound, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from quotas.journal import insert_once
from quotas.set_subsidy import end_subsidy_rule, make_subsidy_rule
from quotas.subsidy_tables import Programme, ProgrammeProject, SubsidyRuleRow
from quotas.tables import OrganisationKind, table_of

_TAKES_PART = table_of(ProgrammeProject)


def create_programme(services: Services, actor: Actor, *, slug: str, name: str) -> None:
    """Name something that the city promotes.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: the slug or the name makes no sense.
        NameTaken: there is one of that slug.
    """
    permissions.require(actor, Action.GRANT)
    require([slug_problem("slug", slug), title_problem("name", name)])
    now = services.clock.now()

    def work(connection: Connection) -> None:
        row = {"slug": slug, "name": name, "created_by": actor.user_id, "created_at": now}
        connection.execute(insert(Programme), row)
        audit.record(connection, at=now, actor=actor, action="programme.created", subject=slug, name=name)

    try:
        transact(services.engine, work)
    except IntegrityError as error:
        raise NameTaken("slug", slug) from error


def add_to_programme(services: Services, actor: Actor, *, programme: str, account: str) -> None:
    """Let a project take part from now on; again is fine.

    Raises:
        NotAllowed: only administrators may.
        NotFound: no such programme, or no such project.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        _require_programme(connection, programme)
        row = {
            "project_id": find_project(connection, account).id,
            "programme": programme,
            "added_at": now,
            "added_by": actor.user_id,
            "removed_at": None,
            "removed_by": None,
        }
        new = insert_once(_TAKES_PART)[connection.dialect.name].returning(_TAKES_PART.c.project_id)
        if connection.execute(new, row).first():
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="programme.project_added",
                subject=programme,
                project=account,
            )

    transact(services.engine, work)


def remove_from_programme(services: Services, actor: Actor, *, programme: str, account: str) -> None:
    """End a project's part in a programme; jobs that are held already keep their subsidy. Again is fine.

    Raises:
        NotAllowed: only administrators may.
        NotFound: no such programme, or no such project.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        _require_programme(connection, programme)
        leaves = update(ProgrammeProject).where(
            col(ProgrammeProject.project_id) == find_project(connection, account).id,
            col(ProgrammeProject.programme) == programme,
            col(ProgrammeProject.removed_at).is_(None),
        )
        if connection.execute(leaves.values(removed_at=now, removed_by=actor.user_id)).rowcount:
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="programme.project_removed",
                subject=programme,
                project=account,
            )

    transact(services.engine, work)


def make_rule(  # noqa: PLR0913 - one rule, every fact by keyword
    services: Services,
    actor: Actor,
    *,
    basis_points: int,
    organisation: str | None = None,
    programme: str | None = None,
    organisation_kind: OrganisationKind | None = None,
    cap_vnd: int | None = None,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    reason: str,
) -> int:
    """Have a part of prices paid by the city, from an instant on (None: now); the rule's id.

    Raises:
        NotAllowed: only administrators may.
        NotFound: no such organisation or programme.
        InvalidEntry: no reason, or an instant without a time zone.
        InvalidAmount: more than 100 %, a negative cap, or a period that is empty or began already.
    """
    permissions.require(actor, Action.GRANT)
    require(
        [
            reason_problem(reason),
            _zone_problem("valid_from", valid_from),
            _zone_problem("valid_to", valid_to),
        ]
    )
    now = services.clock.now()

    def work(connection: Connection) -> int:
        if programme is not None:
            _require_programme(connection, programme)
        rule_id = make_subsidy_rule(
            connection,
            basis_points=basis_points,
            valid_from=valid_from or now,
            valid_to=valid_to,
            organisation_id=find_organisation(connection, organisation) if organisation else None,
            programme=programme,
            organisation_kind=organisation_kind,
            cap_vnd=cap_vnd,
            reason=reason,
            actor_id=actor.user_id,
            at=now,
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="subsidy.made",
            subject=f"rule {rule_id}",
            basis_points=basis_points,
            organisation=organisation,
            programme=programme,
            organisation_kind=organisation_kind,
            cap_vnd=cap_vnd,
            valid_from=(valid_from or now).isoformat(),
            valid_to=valid_to.isoformat() if valid_to else None,
            reason=reason,
        )
        return rule_id

    return transact(services.engine, work)


def end_rule(
    services: Services, actor: Actor, rule_id: int, *, valid_to: datetime | None = None, reason: str
) -> None:
    """Let a rule end, now (None) or later; jobs that are held already keep it. Again is fine.

    Raises:
        NotAllowed: only administrators may.
        NotFound: no such rule.
        InvalidEntry: no reason, or an instant without a time zone.
        InvalidAmount: the end is in the past.
    """
    permissions.require(actor, Action.GRANT)
    require([reason_problem(reason), _zone_problem("valid_to", valid_to)])
    now = services.clock.now()

    def work(connection: Connection) -> None:
        was = connection.execute(
            select(col(SubsidyRuleRow.valid_to)).where(col(SubsidyRuleRow.id) == rule_id)
        ).one_or_none()
        if was is None:
            raise NotFound("subsidy rule", rule_id)
        end = valid_to or now
        if end_subsidy_rule(connection, rule_id=rule_id, valid_to=end, actor_id=actor.user_id, at=now):
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="subsidy.ended",
                subject=f"rule {rule_id}",
                valid_to=end.isoformat(),
                was={"valid_to": was.valid_to.isoformat() if was.valid_to else None},
                reason=reason,
            )

    transact(services.engine, work)


def _require_programme(connection: Connection, slug: str) -> None:
    found = connection.execute(select(col(Programme.slug)).where(col(Programme.slug) == slug)).first()
    if found is None:
        raise NotFound("programme", slug)


def _zone_problem(field: str, instant: datetime | None) -> Problem | None:
    return Problem(field, "Give the time zone, too.") if instant and instant.tzinfo is None else None
