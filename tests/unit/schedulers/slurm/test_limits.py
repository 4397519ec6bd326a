"""Budgets and limits as slurmdbd's REST objects: what is sent, and what is read back, is the same."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schedulers.mirror import MARK, Account, Budget, Limits, Member, PutBudget
from schedulers.slurm.limits import (
    association_request,
    new_account_request,
    new_members_requests,
    qos_request,
    read_seen,
)
from schedulers.slurm.wire_accounting import SlurmAccount, SlurmAssociation, SlurmQos, WireTres

TRES = ("cpu", "mem", "gres/gpu", "gres/gpu:h100", "license/vcs")
amounts = st.dictionaries(st.sampled_from(TRES), st.integers(0, 10**12), max_size=4)
counts = st.none() | st.integers(0, 10**6)
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
QOS = frozenset({"chips_1", "chips_1_direct"})


def as_stored(request: dict[str, Any]) -> SlurmAssociation:
    """What Slurm answers with after such a request."""
    return SlurmAssociation.model_validate({**request, "is_default": False, "id": 5, "shares_raw": 1})


@given(limits)
def test_limits_come_back_as_they_were_sent(wanted: Limits) -> None:
    account = Account("chips", f"{MARK}1", "org_chips", "chips", QOS, "chips_1_direct", wanted)
    member = Member("chips", "an", QOS, "chips_1_direct", wanted)
    seen = read_seen(
        qos=[],
        accounts=[SlurmAccount(name="chips", description=f"{MARK}1", organization="chips")],
        associations=[as_stored(association_request(one, "danang")) for one in (account, member)],
        known=[],
        cluster="danang",
    )
    assert seen.accounts == {"chips": account}
    assert seen.members == {("chips", "an"): member}


@given(amounts)
def test_budgets_come_back_as_they_were_sent(minutes: dict[str, int]) -> None:
    budget = Budget("chips_1", f"{MARK}1:portal", minutes)
    stored = SlurmQos.model_validate(qos_request(PutBudget(budget, None)))
    seen = read_seen(qos=[stored], accounts=[], associations=[], known=[], cluster="danang")
    assert seen.budgets == {"chips_1": budget}


def test_what_a_budget_no_longer_limits_is_named_since_slurm_merges_lists() -> None:
    before = Budget("chips_1", f"{MARK}1", {"cpu": 1, "gres/gpu:h100": 2})
    request = qos_request(PutBudget(replace(before, tres_minutes={"cpu": 3}), before))
    assert request["limits"]["max"]["tres"]["minutes"]["total"] == [
        {"type": "cpu", "name": "", "count": 3},
        {"type": "gres", "name": "gpu:h100", "count": -1},
    ]
    assert request["flags"] == ["DENY_LIMIT", "NO_DECAY"]


def test_a_new_account_is_never_without_its_budgets_and_closed_if_it_shall_be() -> None:
    account = Account("chips", f"{MARK}1", "org_chips", "chips", QOS, "chips_1_direct")
    closed = replace(account, limits=Limits(grp_submit_jobs=0))
    association = new_account_request(closed, "danang")["association_condition"]["association"]
    assert association == {
        "parent": "org_chips",
        "qoslevel": ["chips_1", "chips_1_direct"],
        "defaultqos": "chips_1_direct",
        "grpsubmitjobs": {"set": True, "infinite": False, "number": 0},
    }


def test_new_members_with_the_same_budgets_are_made_together() -> None:
    members = [Member("chips", user, QOS, "chips_1_direct") for user in ("an", "binh")]
    members.append(Member("lab", "an"))
    asked = [body["association_condition"] for body in new_members_requests(members, "danang")]
    assert [(one["accounts"], one["users"]) for one in asked] == [
        (["chips"], ["an", "binh"]),
        (["lab"], ["an"]),
    ]
    assert asked[1]["association"] == {}


def test_other_clusters_single_partitions_and_strange_resources_are_none_of_ours() -> None:
    ours = {"account": "chips", "user": "an", "cluster": "danang"}
    seen = read_seen(
        qos=[],
        accounts=[],
        associations=[
            SlurmAssociation.model_validate(ours),
            SlurmAssociation.model_validate({**ours, "user": "binh", "partition": "gpu"}),
            SlurmAssociation.model_validate({**ours, "user": "chi", "cluster": "hanoi"}),
        ],
        known=[WireTres(type="cpu"), WireTres(type="fs", name="disk"), WireTres(type="gres", name="gpumem")],
        cluster="danang",
    )
    assert list(seen.members) == [("chips", "an")]
    assert seen.tres == {"cpu"}
