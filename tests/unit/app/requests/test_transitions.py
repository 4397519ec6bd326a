"""The table of transitions: what is over stays over, and what is open can end."""

import pytest

from hpc_portal.app.requests.transitions import ASKING, FINAL, OPEN, Deed, RequestState, after, possible


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_can_be_done_with_what_is_over(state: RequestState) -> None:
    assert possible(state) == frozenset()


@pytest.mark.parametrize("state", sorted(OPEN))
def test_whatever_is_open_can_be_withdrawn(state: RequestState) -> None:
    assert after(state, Deed.WITHDRAW) is RequestState.WITHDRAWN


def test_nobody_decides_what_was_not_submitted() -> None:
    for deed in set(Deed) - ASKING:
        assert after(RequestState.DRAFT, deed) is None
        assert after(RequestState.RETURNED, deed) is None


def test_nobody_changes_what_is_being_decided() -> None:
    for deed in ASKING - {Deed.WITHDRAW}:
        assert after(RequestState.SUBMITTED, deed) is None
        assert after(RequestState.UNDER_REVIEW, deed) is None


def test_states_divide_into_open_and_final() -> None:
    assert set(RequestState) == OPEN | FINAL
    assert not OPEN & FINAL
