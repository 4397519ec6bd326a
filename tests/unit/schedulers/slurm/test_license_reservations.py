"""Reservations of licences as scontrol is told of them and shows them."""

import pytest

from schedulers.set_aside_licenses import SetAside
from schedulers.slurm.license_reservations import (
    is_the_portals,
    lowered,
    read_licenses,
    read_reservations,
    reservations_for,
    write_licenses,
)

SHOWN = (
    "ReservationName=hpc-portal-outside StartTime=2026-11-26T16:00:00 EndTime=2026-11-26T17:00:00 "
    "Nodes=(null) Users=root Accounts=(null) Licenses=primetime:1,vcs:2 State=ACTIVE\n"
    "ReservationName=exam Nodes=gpu01 Licenses=vcs:1 Comment=for the class\n"
    "ReservationName=hpc-portal-kept-chips NodeCnt=0 Flags=FLEX,ANY_NODES,MAGNETIC Accounts=chips "
    "Licenses=syn@flex:3 State=ACTIVE\n"
)


def test_the_portal_s_own_are_read_and_those_of_others_left() -> None:
    assert read_reservations(SHOWN) == {
        "hpc-portal-outside": {"primetime": 1, "vcs": 2},
        "hpc-portal-kept-chips": {"syn@flex": 3},
    }
    assert read_reservations("No reservations in the system") == {}


@pytest.mark.parametrize("licenses", [{}, {"vcs": 0}, {"syn@flex": 3, "vcs": 12}])
def test_licenses_are_written_as_they_are_read(licenses: dict[str, int]) -> None:
    assert read_licenses(write_licenses(licenses)) == licenses


def test_a_project_has_one_of_its_account_and_nobody_is_in_that_of_the_outside() -> None:
    found = reservations_for(SetAside({"vcs": 2}, {"chips": {"vcs": 1, "syn": 2}, "rivals": {"vcs": 1}}))
    assert [(one.name, write_licenses(one.licenses), one.whose[0]) for one in found.values()] == [
        ("hpc-portal-kept-chips", "syn:2,vcs:1", "Accounts=chips"),
        ("hpc-portal-kept-rivals", "vcs:1", "Accounts=rivals"),
        ("hpc-portal-outside", "vcs:2", "Users=root"),
    ]
    assert all(is_the_portals(name) for name in found)
    assert not is_the_portals("exam")
    assert reservations_for(SetAside()) == {}


def test_a_reservation_is_lowered_before_another_grows() -> None:
    assert lowered({"vcs": 3, "syn": 1, "sta": 0}, {"vcs": 1, "syn": 2, "lint": 4}) == {"vcs": 1, "syn": 1}
    assert lowered({"vcs": 3}, {}) == {}
