"""What a cluster itself shall enforce: accounts, members, budgets; as wanted, as seen, and the difference.

Pure. A cluster that can keep such limits implements `QuotaMirror`. Nothing here ever takes an account or a
member away: on a real cluster that would cancel the jobs that run under it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, TypeAlias, TypeVar, assert_never

from schedulers.tres import Tres

MARK = "hpc-portal:"
"""What the description of everything begins with that the portal made; nothing else is ever touched."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account or a member may have at once or in one job; None and missing names limit nothing."""

    grp_tres: Mapping[Tres, int] = field(default_factory=dict)
    """GrpTRES: in use at once."""
    max_tres_per_job: Mapping[Tres, int] = field(default_factory=dict)
    grp_jobs: int | None = None
    """GrpJobs: running jobs, of all members together."""
    grp_submit_jobs: int | None = None
    """GrpSubmitJobs: jobs that have not ended, of all members together."""
    max_jobs: int | None = None
    """MaxJobs: running jobs of one member."""
    max_submit_jobs: int | None = None
    max_wall_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """A QOS that carries what may be used altogether (GrpTRESMins); it never decays."""

    name: str
    mark: str
    tres_minutes: Mapping[Tres, int]
    flags: frozenset[str] = frozenset({"DenyOnLimit", "NoDecay"})


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays: an organisation, or a project below it."""

    name: str
    mark: str
    parent: str = "root"
    organisation: str = ""
    budgets: frozenset[str] | None = None
    """QOS that its jobs may name; None leaves them as they are."""
    default_budget: str = ""
    """The QOS of a job that names none."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Member:
    """A cluster user in an account."""

    account: str
    user: str
    budgets: frozenset[str] | None = None
    default_budget: str = ""
    limits: Limits = field(default_factory=Limits)

    def blocked(self) -> "Member":
        """The same member, who starts and submits nothing more; what runs goes on."""
        return replace(self, limits=replace(self.limits, max_jobs=0, max_submit_jobs=0))


@dataclass(frozen=True, slots=True)
class ClusterAccounts:
    """All of it, as it shall be or as it is."""

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    members: Mapping[tuple[str, str], Member] = field(default_factory=dict)
    """By (account, user)."""
    tres: frozenset[Tres] = frozenset()
    """The resources that the cluster can limit; asked of what is seen only."""


@dataclass(frozen=True, slots=True)
class PutBudget:
    """Make a budget, or make it so."""

    wanted: Budget
    found: Budget | None


@dataclass(frozen=True, slots=True)
class PutAccount:
    """Make an account, or make it so."""

    wanted: Account
    found: Account | None


@dataclass(frozen=True, slots=True)
class PutMember:
    """Make a member, or make it so. There is no change that removes one."""

    wanted: Member
    found: Member | None


Change: TypeAlias = PutBudget | PutAccount | PutMember


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as wanted, for people."""

    subject: str
    """`qos chips_1f`, `account chips`, `user an in chips`."""
    field: str
    wanted: str
    found: str


_Associated = TypeVar("_Associated", Account, Member)


class QuotaMirror(Protocol):
    """A cluster that enforces accounts and budgets itself. Every method may raise a SchedulerError."""

    async def seen(self) -> ClusterAccounts:
        """Everything that is there, whoever made it."""
        ...

    async def apply(self, changes: Sequence[Change]) -> None:
        """Make these changes, in order; made twice they are the same as made once.

        Raises:
            SchedulerRefused: the cluster will not make one of them, in its own words; others may be made.
            SchedulerUnavailable, SubmitUncertain: it may or may not be made; look again.
        """
        ...


def diff(wanted: ClusterAccounts, seen: ClusterAccounts) -> list[Change]:
    """The changes that make the cluster as wanted, in an order in which each can be made.

    Empty when all is so. What others made is left alone, also where it is in the way (see `in_the_way`). A
    member of one of our accounts who is not wanted is blocked and stays.
    """
    foreign = set(in_the_way(wanted, seen))
    ours = [one for one in _parents_first(wanted.accounts) if ("account", one.name) not in foreign]
    names = {one.name for one in ours}
    members = {key: member for key, member in wanted.members.items() if key[0] in names}
    members |= {
        key: member.blocked()
        for key, member in seen.members.items()
        if key[0] in names and key not in members
    }
    budgets = [
        PutBudget(budget, seen.budgets.get(name))
        for name, budget in sorted(wanted.budgets.items())
        if ("qos", name) not in foreign and seen.budgets.get(name) != budget
    ]
    # Members come after new accounts but before changed ones: a budget that an account loses must not be
    # the default of a member any more.
    made = [PutAccount(one, None) for one in ours if one.name not in seen.accounts]
    put = [
        PutMember(member, was)
        for key, member in sorted(members.items())
        if (was := seen.members.get(key)) is None or not _is_so(member, was)
    ]
    changed = [
        PutAccount(one, found)
        for one in ours
        if (found := seen.accounts.get(one.name)) is not None and not _is_so(one, found)
    ]
    return [*budgets, *made, *put, *changed]


def _is_so(wanted: Account | Member, found: Account | Member) -> bool:
    if wanted.budgets is None:
        found = replace(found, budgets=None, default_budget=wanted.default_budget)
    return wanted == found


def after(seen: ClusterAccounts, changes: Iterable[Change]) -> ClusterAccounts:
    """What is there once these changes are made."""
    budgets, accounts, members = dict(seen.budgets), dict(seen.accounts), dict(seen.members)
    for change in changes:
        match change:
            case PutBudget(wanted):
                budgets[wanted.name] = wanted
            case PutAccount(wanted, found):
                accounts[wanted.name] = wanted if found is None else _with_kept_budgets(wanted, found)
            case PutMember(wanted, found):
                key = (wanted.account, wanted.user)
                members[key] = wanted if found is None else _with_kept_budgets(wanted, found)
            case _:
                assert_never(change)
    return replace(seen, budgets=budgets, accounts=accounts, members=members)


def _with_kept_budgets(wanted: _Associated, found: _Associated) -> _Associated:
    if wanted.budgets is not None:
        return wanted
    return replace(wanted, budgets=found.budgets, default_budget=found.default_budget)


def in_the_way(wanted: ClusterAccounts, seen: ClusterAccounts) -> list[tuple[str, str]]:
    """What bears a name that we want and was made by somebody else, as ("account" or "qos", name)."""
    qos = [
        ("qos", name)
        for name in sorted(wanted.budgets.keys() & seen.budgets.keys())
        if _is_foreign(seen.budgets[name])
    ]
    accounts = [
        ("account", name)
        for name in sorted(wanted.accounts.keys() & seen.accounts.keys())
        if _is_foreign(seen.accounts[name])
    ]
    return [*qos, *accounts]


def differences(change: Change) -> list[Difference]:
    """A change field by field; a thing that is missing altogether is one difference."""
    subject = _subject(change)
    if change.found is None:
        return [Difference(subject, "", "present", "missing")]
    wanted, found = _flat(change.wanted), _flat(change.found)
    if "budgets" not in wanted:
        found = {name: text for name, text in found.items() if "budget" not in name}
    names = sorted(wanted.keys() | found.keys())
    return [
        Difference(subject, name, wanted.get(name, "-"), found.get(name, "-"))
        for name in names
        if wanted.get(name, "-") != found.get(name, "-")
    ]


def all_differences(changes: Iterable[Change]) -> list[Difference]:
    """Every difference of several changes."""
    return [difference for change in changes for difference in differences(change)]


def _is_foreign(thing: Budget | Account) -> bool:
    return not thing.mark.startswith(MARK)


def _parents_first(accounts: Mapping[str, Account]) -> Sequence[Account]:
    """By name, each after its parent."""
    order: dict[str, Account] = {}

    def add(account: Account) -> None:
        if account.name in order:
            return
        parent = accounts.get(account.parent)
        if parent is not None and parent.name != account.name:
            add(parent)
        order[account.name] = account

    for _, account in sorted(accounts.items()):
        add(account)
    return list(order.values())


def _subject(change: Change) -> str:
    match change:
        case PutBudget(wanted):
            return f"qos {wanted.name}"
        case PutAccount(wanted):
            return f"account {wanted.name}"
        case PutMember(wanted):
            return f"user {wanted.user} in {wanted.account}"


def _flat(thing: Budget | Account | Member | Limits) -> dict[str, str]:
    """Field names to texts; limits and resources each under a name of their own."""
    return dict(_pairs(thing))


def _pairs(thing: Budget | Account | Member | Limits) -> Iterator[tuple[str, str]]:
    for each in fields(thing):
        value = getattr(thing, each.name)
        match value:
            case Limits():
                yield from _pairs(value)
            case Mapping():
                yield from ((f"{each.name} {name}", str(amount)) for name, amount in value.items())
            case frozenset():
                yield each.name, ",".join(sorted(value))
            case None | "":
                pass
            case _:
                yield each.name, str(value)
