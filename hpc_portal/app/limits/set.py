"""Set a limit, or take it away: never more than the level above allows."""

from sqlalchemy import Connection

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.limits.target import FoundTarget, Target, find_target
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from quotas.limits import EVERYBODY, Limit, LimitKind, LimitOwner, Owner, smallest
from quotas.set_limit import read_limits, set_limit


def change_limit(  # noqa: PLR0913 - whose, which, how much, why
    services: Services,
    actor: Actor,
    target: Target,
    *,
    kind: LimitKind,
    value: int | None,
    gpu_type: str = "",
    reason: str = "",
) -> int | None:
    """Set a limit, or take it away with None; what it was before. Again is fine, and is not recorded again.

    It holds from the next submit on, and on our own clusters for the next start within a second or two; what
    runs already goes on. Whoever is no administrator sets at most what holds above: see `_require_below`.

    Raises:
        The errors of `find_target`.
        InvalidEntry: more than the level above allows, or too long a reason.
        InvalidAmount: negative, huge, or a GPU type where it makes no sense.
    """
    require([reason_problem(reason, is_optional=True)])
    now = services.clock.now()

    def work(connection: Connection) -> int | None:
        found = find_target(connection, actor, target)
        if value is not None and not permissions.may(actor, Action.GRANT):
            _require_below(connection, found, kind, gpu_type, value)
        before = set_limit(
            connection,
            owner_kind=found.owner.kind,
            owner_id=found.owner.id,
            within_id=found.owner.within,
            kind=kind,
            value=value,
            gpu_type=gpu_type,
            actor_id=actor.user_id,
            at=now,
        )
        if before != value:
            audit.record(
                connection,
                at=now,
                actor=actor,
                action="limit.set" if value is not None else "limit.removed",
                subject=target.name,
                level=target.level,
                kind=kind,
                gpu_type=gpu_type,
                value=value,
                was={"value": before},
                reason=reason,
            )
        return before

    return transact(services.engine, work)


def _require_below(
    connection: Connection, found: FoundTarget, kind: LimitKind, gpu_type: str, value: int
) -> None:
    """Refuse what would have no effect or reach around the administrators: more than holds above.

    Raises:
        InvalidEntry: what holds above, and whose it is.
    """
    above = [Owner(found.owner.kind, EVERYBODY, "everybody")]
    if found.organisation_id:
        above.append(Owner(LimitOwner.ORGANISATION, found.organisation_id, "the organisation"))
    if found.owner.kind is LimitOwner.MEMBER and found.project_id:
        above.append(Owner(LimitOwner.PROJECT, found.project_id, "the project"))
    for limit in smallest(read_limits(connection, above)):
        if limit.kind is kind and limit.gpu_type in {gpu_type, ""} and value > limit.value:
            raise InvalidEntry([_too_much(limit)])


def _too_much(limit: Limit) -> Problem:
    facts = {"most": limit.value}
    if limit.is_default or limit.owner_kind not in {LimitOwner.ORGANISATION, LimitOwner.PROJECT}:
        return Problem(
            "value", "The default for everybody is %(most)s. Ask the city's administrators for more.", facts
        )
    if limit.owner_kind is LimitOwner.ORGANISATION:
        return Problem(
            "value",
            "The organisation may have %(most)s, and nobody in it more. Ask the city's administrators.",
            facts,
        )
    return Problem(
        "value",
        "The project may have %(most)s, and nobody in it more. Ask the organisation's manager.",
        facts,
    )
