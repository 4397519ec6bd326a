"""The difference between wanted and seen accounts: it converges, is then empty, and deletes nothing."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schedulers.mirror import (
    MARK,
    Account,
    Budget,
    Change,
    ClusterAccounts,
    Limits,
    Member,
    PutAccount,
    PutBudget,
    PutMember,
    after,
    all_differences,
    diff,
    differences,
    in_the_way,
)

NAMES = ("ada", "bio", "chips", "dsp")
USERS = ("an", "binh", "chi")
QOS = ("q1", "q2", "q3")

counts = st.none() | st.integers(0, 5)
amounts = st.dictionaries(
    st.sampled_from(("cpu", "gres/gpu", "gres/gpu:h100")), st.integers(0, 9), max_size=2
)
limits = st.builds(
    Limits,
    grp_tres=amounts,
    max_tres_per_job=amounts,
    grp_jobs=counts,
    grp_submit_jobs=counts,
    max_jobs=counts,
    max_submit_jobs=counts,
    max_wall_minutes=counts,
)
lists = st.none() | st.frozensets(st.sampled_from(QOS), min_size=1)
marks = st.sampled_from((f"{MARK}1", f"{MARK}2"))
any_marks = marks | st.just("made by the site")


@st.composite
def worlds(draw: st.DrawFn, marks: st.SearchStrategy[str]) -> ClusterAccounts:
    budgets = {name: Budget(name, draw(marks), draw(amounts)) for name in draw(st.sets(st.sampled_from(QOS)))}
    names = sorted(draw(st.sets(st.sampled_from(NAMES))))
    accounts = {
        name: Account(
            name,
            draw(marks),
            parent=draw(st.sampled_from(("root", *names[:index]))),
            budgets=draw(lists),
            limits=draw(limits),
        )
        for index, name in enumerate(names)
    }
    members = {
        (account, user): Member(account, user, draw(lists), limits=draw(limits))
        for account in names
        for user in draw(st.sets(st.sampled_from(USERS)))
    }
    return ClusterAccounts(budgets, accounts, members)


def applied(seen: ClusterAccounts, changes: list[Change]) -> ClusterAccounts:
    """One change after the other, on a cluster that refuses what Slurm would: members without an account."""
    for change in changes:
        match change:
            case PutBudget(wanted, found):
                assert found == seen.budgets.get(wanted.name)
            case PutAccount(account, old):
                assert old == seen.accounts.get(account.name)
                assert account.parent == "root" or account.parent in seen.accounts
            case PutMember(member, before):
                assert before == seen.members.get((member.account, member.user))
                assert member.account in seen.accounts
        seen = after(seen, [change])
    return seen


@given(worlds(marks), worlds(any_marks))
def test_what_is_made_so_is_so_and_the_second_difference_is_empty(
    wanted: ClusterAccounts, seen: ClusterAccounts
) -> None:
    then = applied(seen, diff(wanted, seen))
    assert diff(wanted, then) == []
    assert in_the_way(wanted, then) == in_the_way(wanted, seen)


@given(worlds(marks), worlds(any_marks))
def test_nothing_that_is_there_ever_goes_away(wanted: ClusterAccounts, seen: ClusterAccounts) -> None:
    then = applied(seen, diff(wanted, seen))
    assert seen.budgets.keys() <= then.budgets.keys()
    assert seen.accounts.keys() <= then.accounts.keys()
    assert seen.members.keys() <= then.members.keys()


@given(worlds(marks), worlds(any_marks))
def test_what_others_made_stays_as_it_is(wanted: ClusterAccounts, seen: ClusterAccounts) -> None:
    then = applied(seen, diff(wanted, seen))
    for name, account in seen.accounts.items():
        if not account.mark.startswith(MARK) or name not in wanted.accounts:
            assert then.accounts[name] == account
            assert {k: v for k, v in then.members.items() if k[0] == name} == {
                k: v for k, v in seen.members.items() if k[0] == name
            }
    for name, budget in seen.budgets.items():
        if not budget.mark.startswith(MARK) or name not in wanted.budgets:
            assert then.budgets[name] == budget


@given(worlds(marks), worlds(any_marks))
def test_who_is_not_wanted_in_our_accounts_starts_nothing_more(
    wanted: ClusterAccounts, seen: ClusterAccounts
) -> None:
    then = applied(seen, diff(wanted, seen))
    foreign = {name for _, name in in_the_way(wanted, seen)}
    for (account, user), member in then.members.items():
        if account in wanted.accounts.keys() - foreign and (account, user) not in wanted.members:
            assert (member.limits.max_jobs, member.limits.max_submit_jobs) == (0, 0)


@given(worlds(marks), worlds(any_marks))
def test_every_change_says_what_differs(wanted: ClusterAccounts, seen: ClusterAccounts) -> None:
    changes = diff(wanted, seen)
    assert all(differences(change) for change in changes)
    assert len(all_differences(changes)) >= len(changes)


def test_a_difference_names_the_field_as_an_administrator_would() -> None:
    before = Member("chips", "an", frozenset({"q1"}), "q1", Limits(grp_tres={"gres/gpu": 4}))
    after = replace(before, limits=Limits(grp_tres={"gres/gpu": 2}, max_jobs=0))
    found = [(d.subject, d.field, d.wanted, d.found) for d in differences(PutMember(after, before))]
    assert found == [
        ("user an in chips", "grp_tres gres/gpu", "2", "4"),
        ("user an in chips", "max_jobs", "0", "-"),
    ]


def test_a_missing_account_is_made_after_its_parent_and_before_its_members() -> None:
    wanted = ClusterAccounts(
        accounts={
            "a-lab": Account("a-lab", f"{MARK}1", parent="org_z"),
            "org_z": Account("org_z", f"{MARK}2"),
        },
        members={("a-lab", "an"): Member("a-lab", "an")},
    )
    order = [getattr(change.wanted, "name", "member") for change in diff(wanted, ClusterAccounts())]
    assert order == ["org_z", "a-lab", "member"]
