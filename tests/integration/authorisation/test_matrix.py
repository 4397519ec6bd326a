"""Every route answers every kind of person as the table of rules says; a route that the table lacks fails."""

from collections import Counter

import pytest

from tests.in_process import Answer, Call
from tests.integration.api.test_tenancy import Route, routes_of
from tests.integration.authorisation.attempts import ABSENT, attempt
from tests.integration.authorisation.cast import STRANGERS, TOKENS, Person
from tests.integration.authorisation.conftest import Set
from tests.integration.authorisation.matrix import RULE_OF, RULES
from tests.integration.authorisation.rules import SEE_PROJECT, Decision, Of, Rule, expected
from tests.integration.authorisation.things import SECRETS

LEAD_TO_SIGN_IN = {"POST /sign-out", "GET /sign-in/code", "POST /settings/sessions/end"}
"""Whoever has done it signs in anew."""


def test_every_route_is_in_the_table_once(set_: Set) -> None:
    found = {str(route) for route in routes_of(set_.stage.app)}
    missing = sorted(found - RULE_OF.keys())
    assert missing == [], (
        "The matrix of authorisation does not know these routes. Add each to the rule in "
        "tests/integration/authorisation/rules_of_*.py that says who may do it and on whose, or write a "
        "new rule; then run `make docs`."
    )
    assert sorted(RULE_OF.keys() - found) == [], "rows of routes that are gone"
    twice = [
        address for address, count in Counter(a for r in RULES for a in r.addresses).items() if count > 1
    ]
    assert twice == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.deed)
def test_everybody_is_answered_as_the_table_says(set_: Set, rule: Rule) -> None:
    stage, wrong = set_.stage, []
    routes = {str(route): route for route in routes_of(stage.app)}
    for route in (routes[address] for address in rule.addresses):
        call = attempt(route, set_.parameters)
        for person in asked(rule, route):
            answer = stage.call(person, call)
            told = decision(route, person, answer)
            if Decision.AGAIN in {rule.hidden_as, rule.refused_as} and answer.status == 422:
                told = Decision.AGAIN
            wanted = expected(rule, person, method=route.method, is_api=route.is_api)
            if told is not wanted:
                wrong.append(
                    f"{route} told the {person.value} {told.name} ({answer.status}), not {wanted.name}"
                )
            has_written = stage.reset()
            if wanted is not Decision.YES and has_written:
                wrong.append(f"{route} refused the {person.value} and wrote to the database nevertheless")
            if person not in SEE_PROJECT and (leaks := secrets_in(call, person, answer)):
                wrong.append(f"{route} let the {person.value} know {leaks}")
    assert not wrong, "\n".join(wrong)


def asked(rule: Rule, route: Route) -> list[Person]:
    """Everybody; where nobody needs to be known, a few, for checking passwords takes long."""
    return [Person.NOBODY, Person.OWNER] if rule.of is Of.OPEN else list(Person)


def decision(route: Route, person: Person, answer: Answer) -> Decision:
    """What the answer means."""
    if str(route) in ABSENT:
        return Decision.YES if answer.status == ABSENT[str(route)] else _decision(answer)
    is_over = str(route) in LEAD_TO_SIGN_IN and not (person in STRANGERS and "settings" in route.path)
    if is_over and answer.status == 303:
        return Decision.YES
    return _decision(answer)


def _decision(answer: Answer) -> Decision:
    assert answer.status < 500, answer.text
    if answer.status == 401 or (answer.status == 303 and answer.location.startswith("/sign-in")):
        return Decision.SIGN_IN
    match answer.status:
        case 403:
            return Decision.NO
        case 404:
            return Decision.HIDDEN
        case _:
            return Decision.YES


def secrets_in(call: Call, person: Person, answer: Answer) -> list[str]:
    """The project's secrets in an answer to whoever may not know them."""
    sees = person in set(TOKENS) - {Person.ELSEWHERE_TOKEN, Person.SERVICE_ELSEWHERE_TOKEN}
    return [] if sees else [one for one in SECRETS if one in answer.text or one in answer.location]
