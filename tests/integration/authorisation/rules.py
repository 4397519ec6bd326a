"""What a row of the matrix says: a deed, who may do it, who may not even know of it, and by which routes."""

from dataclasses import dataclass
from enum import StrEnum

from tests.integration.authorisation.cast import ROLES, STRANGERS, Person

OWNER, COLLEAGUE, LEAD, MANAGER = Person.OWNER, Person.COLLEAGUE, Person.LEAD, Person.MANAGER
NEIGHBOUR, AUDITOR, ADMINISTRATOR = Person.NEIGHBOUR, Person.AUDITOR, Person.ADMINISTRATOR

EVERYBODY = frozenset(ROLES)
"""Who is signed in; they see and change what is their own, or what is for all."""
MEMBERS = frozenset({OWNER, COLLEAGUE, LEAD})
"""The people of the project."""
LEADERS = frozenset({LEAD, MANAGER, ADMINISTRATOR})
MANAGERS = frozenset({MANAGER, ADMINISTRATOR})
AUDITORS = frozenset({AUDITOR, ADMINISTRATOR})
CITY = frozenset({ADMINISTRATOR})
SEE_PROJECT = MEMBERS | MANAGERS | AUDITORS
"""Who may know that there is such a project, job, file, request, allocation …"""
SEE_ORGANISATION = MANAGERS | AUDITORS
"""Who sees an organisation's people and their places from the inside."""
KNOW_ORGANISATION = SEE_ORGANISATION | MEMBERS | {NEIGHBOUR}
"""Who belongs to it."""


class Decision(StrEnum):
    """What a request is answered."""

    YES = "yes"
    """It is done, or refused for what it asks (409, 422 …), not for who asks."""
    SIGN_IN = "sign in"
    """401, and pages lead to the form."""
    NO = "no"
    """403: the thing may be known, the deed not done."""
    HIDDEN = "hidden"
    """404: as if there were nothing."""
    AGAIN = "form again"
    """422: a form whose choices are one's own comes back, for it named what is not."""


class Of(StrEnum):
    """What a deed is done to, and so who may know of it."""

    PROJECT = "the project"
    ORGANISATION = "the organisation"
    MEMBERSHIP = "the organisation, as its people know it"
    CLASS = "a class of the project"
    CITY = "the city"
    """Nobody is told that there is nothing: prices, months and templates are no secret as such."""
    OWN = "the owner's own"
    """A token, a session: for everybody else there is none."""
    ALL = "what is everybody's, or the reader's own"
    OPEN = "what strangers may have, too"


KNOWN_BY = {
    Of.PROJECT: SEE_PROJECT,
    Of.ORGANISATION: SEE_ORGANISATION,
    Of.MEMBERSHIP: KNOW_ORGANISATION,
    Of.CLASS: LEADERS | AUDITORS,
    Of.CITY: EVERYBODY,
    Of.OWN: frozenset({OWNER}),
    Of.ALL: EVERYBODY,
    Of.OPEN: EVERYBODY,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. Both tokens of administrators look at all that administrators may look at."""

    deed: str
    of: Of
    may: frozenset[Person]
    routes: str
    """One a line: method and path, as the route table has them."""
    jobs_token: bool = False
    """A token for jobs does it; matters where something is changed, for all tokens may look."""
    project_token: bool = False
    """A token of one project does it, as its owner may in that project, where something is changed."""
    private: bool = False
    """It is the person's own, of all their projects: a token of one project does not even look at it."""
    refused_as: Decision = Decision.NO
    """What those are told who may know of it, but not do it."""
    hidden_as: Decision = Decision.HIDDEN
    """What the others are told."""

    @property
    def addresses(self) -> list[str]:
        return [line.strip() for line in self.routes.strip().splitlines()]


def expected(rule: Rule, person: Person, *, method: str, is_api: bool) -> Decision:
    """What the table says about one person and one route."""
    if rule.of is Of.OPEN:
        return Decision.YES
    if person in STRANGERS:
        return Decision.SIGN_IN
    if person in _STANDS_FOR:
        is_good = _is_good_for(rule, person, is_change=method != "GET", is_api=is_api)
        return _of_role(rule, _STANDS_FOR[person]) if is_good else Decision.NO
    return _of_role(rule, person)


_STANDS_FOR = {
    Person.READ_TOKEN: ADMINISTRATOR,
    Person.JOBS_TOKEN: ADMINISTRATOR,
    Person.PROJECT_TOKEN: LEAD,
    Person.ELSEWHERE_TOKEN: NEIGHBOUR,
    Person.SERVICE_TOKEN: COLLEAGUE,
    Person.SERVICE_READ_TOKEN: COLLEAGUE,
    Person.SERVICE_ELSEWHERE_TOKEN: Person.RIVAL,
}
"""Whose rights a token has at most."""


_LOOK_ONLY = frozenset({Person.READ_TOKEN, Person.SERVICE_READ_TOKEN})
_FOR_JOBS = frozenset({Person.JOBS_TOKEN, Person.SERVICE_TOKEN, Person.SERVICE_ELSEWHERE_TOKEN})
_OF_ONE_PROJECT = frozenset(_STANDS_FOR) - {Person.READ_TOKEN, Person.JOBS_TOKEN}


def _is_good_for(rule: Rule, token: Person, *, is_change: bool, is_api: bool) -> bool:
    if token in _OF_ONE_PROJECT and (rule.private or not is_api):
        return False
    if not is_change:
        return True
    if token in _LOOK_ONLY or (token in _FOR_JOBS and not (is_api and rule.jobs_token)):
        return False
    return token not in _OF_ONE_PROJECT or rule.project_token


def _of_role(rule: Rule, person: Person) -> Decision:
    if person in rule.may:
        return Decision.YES
    return rule.refused_as if person in KNOWN_BY[rule.of] else rule.hidden_as
