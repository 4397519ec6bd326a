"""Accounts, members and budgets as slurmdbd's REST objects, both ways; pure.

A list of resources in a request replaces an association's, but is merged into a QOS's: there, what shall no
longer be limited must be named with -1. Flags that are left out are taken away, so they are always sent.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from schedulers import tres
from schedulers.errors import InvalidJobSpec
from schedulers.mirror import Account, Budget, ClusterAccounts, Limits, Member, PutBudget
from schedulers.slurm.wire import Unlimited
from schedulers.slurm.wire_accounting import SlurmAccount, SlurmAssociation, SlurmQos, WireTres
from schedulers.tres import Tres

Request: TypeAlias = dict[str, Any]

_FLAGS = {"DENY_LIMIT": "DenyOnLimit", "NO_DECAY": "NoDecay"}
_WIRE_FLAGS = {flag: word for word, flag in _FLAGS.items()}
_NO_LIMIT = -1
_UNLIMITED = {"set": False, "infinite": True, "number": 0}


def qos_request(change: PutBudget) -> Request:
    """One object for `POST /slurmdb/.../qos/` that makes the budget as wanted."""
    wanted = change.wanted
    gone = (change.found.tres_minutes.keys() if change.found else set()) - wanted.tres_minutes.keys()
    minutes = {**wanted.tres_minutes, **dict.fromkeys(gone, _NO_LIMIT)}
    return {
        "name": wanted.name,
        "description": wanted.mark,
        "flags": sorted(_WIRE_FLAGS.get(flag, flag) for flag in wanted.flags),
        "limits": {"max": {"tres": {"minutes": {"total": _wire_tres(minutes)}}}},
    }


def new_account_request(account: Account, cluster: str) -> Request:
    """The body of `POST /slurmdb/.../accounts_association/`: never without its budgets, not for a moment."""
    association: Request = {"parent": account.parent, **_budget_fields(account)}
    if account.limits.grp_submit_jobs is not None:
        association["grpsubmitjobs"] = _number(account.limits.grp_submit_jobs)
    return {
        "association_condition": {
            "accounts": [account.name],
            "clusters": [cluster],
            "association": association,
        },
        "account": {"description": account.mark, "organization": account.organisation},
    }


def new_members_requests(members: Iterable[Member], cluster: str) -> list[Request]:
    """Bodies of `POST /slurmdb/.../users_association/`, one for all with equal budgets in an account.

    They make the users, too, if there are none.
    """
    alike: dict[tuple[str, frozenset[str] | None, str], list[Member]] = {}
    for member in members:
        alike.setdefault((member.account, member.budgets, member.default_budget), []).append(member)
    return [
        {
            "association_condition": {
                "accounts": [account],
                "users": [member.user for member in group],
                "clusters": [cluster],
                "association": _budget_fields(group[0]),
            },
            "user": {},
        }
        for (account, _, _), group in alike.items()
    ]


def account_request(account: Account) -> Request:
    """One object for `POST /slurmdb/.../accounts/`."""
    return {"name": account.name, "description": account.mark, "organization": account.organisation}


def association_request(wanted: Account | Member, cluster: str) -> Request:
    """One object for `POST /slurmdb/.../associations/`: every limit, those that are none as well."""
    limits = wanted.limits
    request: Request = {
        "cluster": cluster,
        "account": wanted.account if isinstance(wanted, Member) else wanted.name,
        "user": wanted.user if isinstance(wanted, Member) else "",
        "partition": "",
        "max": {
            "jobs": {
                "active": _number(limits.max_jobs),
                "total": _number(limits.max_submit_jobs),
                "per": {
                    "count": _number(limits.grp_jobs),
                    "submitted": _number(limits.grp_submit_jobs),
                    "wall_clock": _number(limits.max_wall_minutes),
                },
            },
            "tres": {
                "total": _wire_tres(limits.grp_tres),
                "per": {"job": _wire_tres(limits.max_tres_per_job)},
            },
        },
    }
    if isinstance(wanted, Account):
        request["parent_account"] = wanted.parent
    if wanted.budgets is not None:
        request["qos"] = sorted(wanted.budgets)
        request["default"] = {"qos": wanted.default_budget}
    return request


def read_seen(
    *,
    qos: Iterable[SlurmQos],
    accounts: Iterable[SlurmAccount],
    associations: Iterable[SlurmAssociation],
    known: Iterable[WireTres],
    cluster: str,
) -> ClusterAccounts:
    """What slurmdbd has for one cluster. Associations with a single partition are the site's own business."""
    own = [one for one in associations if one.cluster == cluster and not one.partition]
    of_account = {one.account: one for one in own if not one.user}
    return ClusterAccounts(
        budgets={one.name: _budget(one) for one in qos},
        accounts={
            one.name: _account(one, of_account[one.name]) for one in accounts if one.name in of_account
        },
        members={
            (one.account, one.user): Member(
                one.account, one.user, frozenset(one.qos), one.default_qos, _limits(one)
            )
            for one in own
            if one.user
        },
        tres=frozenset(_amounts(known)),
    )


def _budget(one: SlurmQos) -> Budget:
    flags = frozenset(_FLAGS.get(word, word) for word in one.flags)
    return Budget(one.name, one.description, _amounts(one.grp_tres_minutes), flags)


def _account(one: SlurmAccount, association: SlurmAssociation) -> Account:
    return Account(
        one.name,
        one.description,
        parent=association.parent_account,
        organisation=one.organization,
        budgets=frozenset(association.qos),
        default_budget=association.default_qos,
        limits=_limits(association),
    )


def _limits(one: SlurmAssociation) -> Limits:
    return Limits(
        grp_tres=_amounts(one.grp_tres),
        max_tres_per_job=_amounts(one.max_tres_per_job),
        grp_jobs=_count(one.grp_jobs),
        grp_submit_jobs=_count(one.grp_submit_jobs),
        max_jobs=_count(one.max_jobs),
        max_submit_jobs=_count(one.max_submit_jobs),
        max_wall_minutes=_count(one.max_wall_minutes_per_job),
    )


def _budget_fields(of: Account | Member) -> Request:
    if of.budgets is None:
        return {}
    return {"qoslevel": sorted(of.budgets), "defaultqos": of.default_budget}


def _number(value: int | None) -> Request:
    return _UNLIMITED if value is None else {"set": True, "infinite": False, "number": value}


def _count(value: int | Unlimited | None) -> int | None:
    return value if isinstance(value, int) else None


def _wire_tres(amounts: Mapping[Tres, int]) -> list[Request]:
    parts = ((name.partition("/"), amount) for name, amount in sorted(amounts.items()))
    return [{"type": kind, "name": name, "count": amount} for (kind, _, name), amount in parts]


def _amounts(amounts: Iterable[WireTres]) -> dict[Tres, int]:
    """By name; resources that the portal does not know (energy, file systems) are left out."""
    found: dict[Tres, int] = {}
    for amount in amounts:
        name = f"{amount.type}/{amount.name}" if amount.name else amount.type
        try:
            found[tres.require_tres(name)] = amount.count
        except InvalidJobSpec:
            continue
    return found
