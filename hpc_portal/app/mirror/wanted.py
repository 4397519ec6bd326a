"""What a cluster should have: read from organisations, projects, members, limits and allocations."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, text
from sqlmodel import col

from hpc_portal.app.mirror.budgets import (
    AllocationFacts,
    budgets_of,
    direct_qos,
    portal_qos,
)
from hpc_portal.app.mirror.rates import highest_subsidies, lowest_rates
from hpc_portal.app.tables import ClusterAccount, ExternalUsage, ProjectMember, User
from quotas.amounts import STORAGE
from quotas.balance import AssetBalance
from quotas.limits import EVERYBODY, LimitKind, LimitOwner
from quotas.money import VND
from quotas.refunded import refunded_by_line
from quotas.set_limit import read_all_limits
from quotas.standing import stopped_ones
from quotas.tables import (
    AccountingRecord,
    Allocation,
    AllocationLine,
    AllocationState,
    LedgerAccount,
    Organisation,
    Project,
    TenantState,
    table_of,
)
from schedulers import tres
from schedulers.mirror import MARK, Account, Budget, ClusterAccounts, Difference, Limits, Member
from schedulers.tres import Tres, add

_KEPT_AFTER_EXPIRY = timedelta(days=60)
"""So long the QOS of an ended period is still kept at what was used, so that nothing more starts in it."""
_SECONDS_PER_MINUTE = 60

_ACCOUNTS = table_of(LedgerAccount)
_AVAILABLE, _HELD, _CONSUMED = (_ACCOUNTS.alias(name) for name in ("available", "held", "consumed"))


def organisation_account(slug: str) -> str:
    """The account of an organisation; no project's name has an underscore, so they never clash."""
    return f"org_{slug}"


def read_wanted(
    connection: Connection, cluster: str, *, known: AbstractSet[Tres], at: datetime
) -> ClusterAccounts:
    """All accounts, members and budgets that this cluster should have at this instant.

    `known` are the resources that the cluster can limit. Members are people who have an account on it.
    """
    limits = _LimitRows(read_all_limits(connection))
    allocations = _allocations(connection, cluster, at)
    rates = lowest_rates(connection, at)
    subsidies = highest_subsidies(connection, at)
    budgets: dict[str, Budget] = {}
    for facts in allocations:
        subsidy_now, subsidy_ever = subsidies.get(facts.account, (0, 0))
        net = rates.net(subsidy_now=subsidy_now, subsidy_ever=subsidy_ever)
        budgets |= {budget.name: budget for budget in budgets_of(facts, net, known)}
    by_account: dict[str, list[AllocationFacts]] = defaultdict(list)
    for facts in allocations:
        by_account[facts.account].append(facts)
    accounts = {account.name: account for account in _organisations(connection, limits)}
    members: dict[tuple[str, str], Member] = {}
    people = _members(connection, cluster)
    for row in _projects(connection):
        account = _project_account(row, by_account[row.account], limits)
        accounts[account.name] = account
        above = [
            limits.of(LimitOwner.ORGANISATION, row.organisation_id),
            limits.of(LimitOwner.PROJECT, row.id),
        ]
        for person in people[row.id]:
            own = [
                limits.of(LimitOwner.USER, person.id),
                limits.of(LimitOwner.MEMBER, person.id, within=row.id),
            ]
            member = _member(account, person, above, own)
            members[account.name, member.user] = member
    return ClusterAccounts(budgets, accounts, members)


def read_untracked(connection: Connection, *, known: AbstractSet[Tres], at: datetime) -> list[Difference]:
    """Resources that are granted and that the cluster cannot limit: it does not count them."""
    assets = connection.execute(
        select(col(AllocationLine.asset))
        .join(Allocation, col(Allocation.id) == col(AllocationLine.allocation_id))
        .where(
            col(Allocation.state) == AllocationState.ACTIVE,
            col(Allocation.valid_from) <= at,
            col(Allocation.valid_to) > at,
        )
        .distinct()
        .order_by(col(AllocationLine.asset))
    ).scalars()
    return [
        Difference("cluster", "AccountingStorageTRES", asset, "not tracked")
        for asset in assets
        if asset not in known | {VND, STORAGE}
    ]


_Values = Mapping[tuple[LimitKind, str], int]


@dataclass(frozen=True, slots=True)
class _LimitRows:
    """Every limit by its owner."""

    by_owner: Mapping[tuple[LimitOwner, UUID, UUID], _Values]

    def of(self, kind: LimitOwner, owner_id: UUID, *, within: UUID = EVERYBODY) -> _Values:
        """The owner's limits: its own, and the defaults where it has none."""
        default = self.by_owner.get((kind, EVERYBODY, EVERYBODY), {})
        return {**default, **self.by_owner.get((kind, owner_id, within), {})}


def _organisations(connection: Connection, limits: _LimitRows) -> Iterable[Account]:
    rows = connection.execute(select(col(Organisation.id), col(Organisation.slug), col(Organisation.state)))
    for row in rows:
        own = _group_limits(limits.of(LimitOwner.ORGANISATION, row.id))
        yield Account(
            organisation_account(row.slug),
            f"{MARK}{row.id}",
            organisation=row.slug,
            limits=own if row.state is TenantState.ACTIVE else replace(own, grp_submit_jobs=0),
        )


def _projects(connection: Connection) -> Iterable[Any]:
    return connection.execute(
        select(
            col(Project.id),
            col(Project.account),
            col(Project.state),
            col(Project.organisation_id),
            col(Organisation.slug),
        ).join(Organisation, col(Organisation.id) == col(Project.organisation_id))
    ).all()


def _members(connection: Connection, cluster: str) -> Mapping[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    rows = connection.execute(
        select(
            col(ProjectMember.project_id),
            col(User.id),
            col(User.is_active),
            col(ClusterAccount.cluster_user),
        )
        .join(User, col(User.id) == col(ProjectMember.user_id))
        .join(ClusterAccount, col(ClusterAccount.user_id) == col(User.id))
        .where(col(ClusterAccount.cluster) == cluster)
    )
    for row in rows:
        found[row.project_id].append(row)
    return found


def _project_account(row: Any, allocations: list[AllocationFacts], limits: _LimitRows) -> Account:  # noqa: ANN401 - a row
    """A project without anything to spend, or whose submissions are suspended, submits nothing."""
    usable = [facts for facts in allocations if facts.is_usable]
    open_ones = usable + [facts for facts in allocations if not facts.is_usable and facts.has_holds]
    own = _group_limits(limits.of(LimitOwner.PROJECT, row.id))
    if row.state is not TenantState.ACTIVE or not open_ones:
        own = replace(own, grp_submit_jobs=0)
    names = [name(row.account, facts.id) for facts in open_ones for name in (portal_qos, direct_qos)]
    paying = [facts for facts in usable if _has_any_left(facts)] or open_ones
    return Account(
        row.account,
        f"{MARK}{row.id}",
        parent=organisation_account(row.slug),
        organisation=row.slug,
        budgets=frozenset(names) if names else None,
        default_budget=direct_qos(row.account, paying[0].id) if paying else "",
        limits=own,
    )


def _has_any_left(facts: AllocationFacts) -> bool:
    """As holds do, jobs that name no budget use the one that expires first of those with something left."""
    return all(
        amounts.available + facts.overdraft.get(asset, 0) > 0 for asset, amounts in facts.by_asset.items()
    )


_PER_JOB = {LimitKind.WALLTIME_SECONDS, LimitKind.GPUS_PER_JOB}


def _member(
    account: Account,
    person: Any,  # noqa: ANN401 - a row
    above: Iterable[_Values],
    own: Iterable[_Values],
) -> Member:
    """A person in a project: their own limits here and overall, and the smallest of all on a single job.

    The cluster counts a person's jobs in each account apart: what they may have overall holds in each.
    """
    here = _smallest(own)
    per_job = {key: value for key, value in _smallest([*above, here]).items() if key[0] in _PER_JOB}
    walltime = per_job.get((LimitKind.WALLTIME_SECONDS, ""))
    limits = replace(
        _group_limits(here),
        max_tres_per_job=_gpu_limits(per_job, LimitKind.GPUS_PER_JOB),
        max_wall_minutes=None if walltime is None else -(-walltime // _SECONDS_PER_MINUTE),
    )
    member = Member(account.name, person.cluster_user, account.budgets, account.default_budget, limits)
    return member if person.is_active else member.blocked()


def _smallest(levels: Iterable[_Values]) -> _Values:
    """Every level counts, so the smallest value of each limit holds."""
    found: dict[tuple[LimitKind, str], int] = {}
    for values in levels:
        for key, value in values.items():
            found[key] = min(value, found.get(key, value))
    return found


def _group_limits(own: _Values) -> Limits:
    return Limits(
        grp_tres=_gpu_limits(own, LimitKind.GPUS_RUNNING),
        grp_jobs=own.get((LimitKind.JOBS_RUNNING, "")),
        grp_submit_jobs=own.get((LimitKind.JOBS_QUEUED, "")),
    )


def _gpu_limits(own: _Values, kind: LimitKind) -> dict[Tres, int]:
    return {tres.gpu_tres(gpu_type): value for (of, gpu_type), value in own.items() if of is kind}


def _allocations(connection: Connection, cluster: str, at: datetime) -> list[AllocationFacts]:
    """Those that have begun, the one that expires first in front; ended ones for a while."""
    rows = connection.execute(
        select(
            col(Allocation.id),
            col(Allocation.state),
            col(Allocation.valid_to),
            col(Allocation.parent_id),
            col(Project.account),
            col(AllocationLine.asset),
            _AVAILABLE.c.balance.label("available"),
            _AVAILABLE.c.overdraft,
            _HELD.c.balance.label("held"),
            _CONSUMED.c.balance.label("consumed"),
        )
        .join_from(Allocation, Project, col(Project.id) == col(Allocation.project_id))
        .join(AllocationLine, col(AllocationLine.allocation_id) == col(Allocation.id))
        .join(_AVAILABLE, _AVAILABLE.c.id == col(AllocationLine.available_id))
        .join(_HELD, _HELD.c.id == col(AllocationLine.held_id))
        .join(_CONSUMED, _CONSUMED.c.id == col(AllocationLine.consumed_id))
        .where(
            col(Allocation.valid_from) <= at,
            (col(Allocation.valid_to) > at - _KEPT_AFTER_EXPIRY) | (_HELD.c.balance > 0),
        )
        .order_by(col(Allocation.valid_to), col(Allocation.id))
    ).all()
    lines: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        lines[row.id].append(row)
    stopped = stopped_ones(connection, {row.id: row.parent_id for row in rows})
    uncharged = _uncharged(connection, lines)
    directly = _used_directly(connection, cluster)
    refunded: dict[UUID, dict[str, int]] = defaultdict(dict)
    for (allocation_id, asset), amount in refunded_by_line(connection).items():
        refunded[allocation_id][asset] = amount
    return [
        AllocationFacts(
            allocation_id,
            group[0].account,
            is_usable=(
                group[0].state is AllocationState.ACTIVE
                and at < group[0].valid_to
                and allocation_id not in stopped
            ),
            by_asset={row.asset: AssetBalance(row.available, row.held, row.consumed) for row in group},
            overdraft={row.asset: row.overdraft for row in group},
            uncharged=uncharged[allocation_id],
            refunded=refunded[allocation_id],
            used_directly=directly[allocation_id],
        )
        for allocation_id, group in lines.items()
    ]


def _uncharged(connection: Connection, allocations: Iterable[UUID]) -> Mapping[UUID, Mapping[Tres, int]]:
    found: dict[UUID, dict[Tres, int]] = defaultdict(dict)
    wanted = set(allocations)
    for allocation_id, used in connection.execute(_UNCHARGED_RUNS):
        if allocation_id in wanted:
            found[allocation_id] = add(found[allocation_id], used)
    return found


_UNCHARGED_RUNS = select(col(AccountingRecord.allocation_id), col(AccountingRecord.tres_seconds)).where(
    text("NOT is_charged AND elapsed_seconds > 0")
)
"""Written as the partial index is: there are few of them among very many records."""


def _used_directly(connection: Connection, cluster: str) -> Mapping[UUID, Mapping[Tres, int]]:
    found: dict[UUID, dict[Tres, int]] = defaultdict(dict)
    rows = connection.execute(
        select(col(ExternalUsage.allocation_id), col(ExternalUsage.asset), col(ExternalUsage.amount)).where(
            col(ExternalUsage.cluster) == cluster
        )
    )
    for allocation_id, asset, amount in rows:
        found[allocation_id][asset] = amount
    return found
