"""Where a request for quota may stand, and which deed takes it from where to where: pure."""

from collections.abc import Mapping
from enum import StrEnum


class RequestState(StrEnum):
    """Where a request stands."""

    DRAFT = "draft"
    """Only those who may ask see it; everything about it can change."""
    SUBMITTED = "submitted"
    UNDER_REVIEW = "under_review"
    """An administrator looks at it."""
    RETURNED = "returned"
    """An administrator asked something: it can be changed, and submitted again with an answer."""
    APPROVED = "approved"
    PARTLY_APPROVED = "partly_approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"


class RequestKind(StrEnum):
    """What is asked for."""

    NEW = "new"
    RENEW = "renew"
    """Another allocation, after one that ends."""
    EXTEND = "extend"
    """More time for what an allocation has left."""
    INCREASE = "increase"
    """More of something in an allocation, until its end."""
    SURGE = "surge"
    """A grant for a short time beside the others, such as before a tape-out."""


class Deed(StrEnum):
    """What people do with a request."""

    DRAFT = "draft"
    EDIT = "edit"
    ATTACH = "attach"
    DETACH = "detach"
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    START_REVIEW = "start_review"
    RETURN = "return"
    APPROVE = "approve"
    APPROVE_PARTLY = "approve_partly"
    DENY = "deny"


S = RequestState
_UNDECIDED = frozenset({S.SUBMITTED, S.UNDER_REVIEW})
_CHANGEABLE = frozenset({S.DRAFT, S.RETURNED})

OPEN = _UNDECIDED | _CHANGEABLE
"""Not decided and not withdrawn."""
FINAL = frozenset(S) - OPEN

TRANSITIONS: Mapping[Deed, Mapping[RequestState, RequestState]] = {
    Deed.DRAFT: {},
    Deed.EDIT: {state: state for state in _CHANGEABLE},
    Deed.ATTACH: {state: state for state in _CHANGEABLE},
    Deed.DETACH: {state: state for state in _CHANGEABLE},
    Deed.SUBMIT: dict.fromkeys(_CHANGEABLE, S.SUBMITTED),
    Deed.WITHDRAW: dict.fromkeys(OPEN, S.WITHDRAWN),
    Deed.START_REVIEW: {S.SUBMITTED: S.UNDER_REVIEW},
    Deed.RETURN: dict.fromkeys(_UNDECIDED, S.RETURNED),
    Deed.APPROVE: dict.fromkeys(_UNDECIDED, S.APPROVED),
    Deed.APPROVE_PARTLY: dict.fromkeys(_UNDECIDED, S.PARTLY_APPROVED),
    Deed.DENY: dict.fromkeys(_UNDECIDED, S.DENIED),
}
"""For each deed: the states that it is possible in, and where it leads. What is not here cannot be done."""

ASKING = frozenset({Deed.EDIT, Deed.ATTACH, Deed.DETACH, Deed.SUBMIT, Deed.WITHDRAW})
"""Deeds of those who ask; the others are the administrators'."""


def after(state: RequestState, deed: Deed) -> RequestState | None:
    """Where the deed leads; None when it is not possible in this state."""
    return TRANSITIONS[deed].get(state)


def possible(state: RequestState) -> frozenset[Deed]:
    """Every deed that is possible in this state, whoever may do it."""
    return frozenset(deed for deed, moves in TRANSITIONS.items() if state in moves)
