"""Writes docs/authorisation.md from the matrix that the tests hold every route to."""

from collections.abc import Iterator
from pathlib import Path

from tests.integration.authorisation.cast import TOKENS, Person
from tests.integration.authorisation.matrix import CHAPTERS
from tests.integration.authorisation.rules import Decision, Of, Rule, expected

PAGE = Path(__file__).resolve().parent.parent / "docs" / "authorisation.md"
_COLUMNS = (
    Person.NEWCOMER,
    Person.RIVAL,
    Person.NEIGHBOUR,
    Person.COLLEAGUE,
    Person.OWNER,
    Person.LEAD,
    Person.MANAGER,
    Person.AUDITOR,
    Person.ADMINISTRATOR,
    Person.SERVICE_TOKEN,
)
_CALLED = {Person.SERVICE_TOKEN: "service account"}
"""By a shorter name than the cast has."""
_MARKS = {
    Decision.YES: "yes",
    Decision.NO: "no",
    Decision.HIDDEN: "hidden",
    Decision.SIGN_IN: "",
    Decision.AGAIN: "form",
}
_LOOK = "look"
_HEAD = """# Who may do what

Written by `make docs` from `tests/integration/authorisation/rules_of_*.py`; a test compares them. Another
(`tests/integration/authorisation/test_matrix.py`) sends every route of the application to everybody below,
compares what they are told with this table, and fails when a route is in no row. That a refusal writes
nothing is checked each time.

All that is called for belongs to one startup, or to one member of its project; people are named by what
they are towards it:

| column | who |
| --- | --- |
"""
_LEGEND = """
**yes**: it is done, or refused for what was asked and not for who asked. **no**: 403. **hidden**: 404, the
same as for what never was. **form**: the form comes back (422), for it named what it does not offer. Who is
not signed in, whose account was disabled and whose token has run out are told to sign in (401; pages lead
there), in every row but those for strangers.

**Tokens** are good for what their owner may, and less: one to look changes nothing. One for jobs changes
what has *jobs* in the last column, through the API. One of a single project looks at that project through
the API, and changes there what has *project* in the last column; it opens no page, and where *own* stands it
does not even look.

A **service account** has tokens only, through the API and in its one project, where it is a member: for jobs
(the column), or to look (then it changes nothing). **look**: it sees that, and changes none of it. In another
project it is told what a rival is.
"""


def main() -> None:
    """Write it, and say so."""
    PAGE.write_text(page(), "utf-8")
    print(f"Wrote {PAGE.name}.")


def page() -> str:
    """The whole page."""
    people = "".join(f"| {_called(person)} | {_MEANING[person]} |\n" for person in _COLUMNS)
    chapters = "".join(_chapter(name, rules) for name, rules in CHAPTERS.items())
    return f"{_HEAD}{people}{_LEGEND}{chapters}"


_MEANING = {
    Person.NEWCOMER: "signed in, belongs to nothing",
    Person.RIVAL: "manages another organisation and leads its project",
    Person.NEIGHBOUR: "leads another project of the same organisation",
    Person.COLLEAGUE: "another member of the project",
    Person.OWNER: "the member of the project whose job, token or session it is",
    Person.LEAD: "leads the project",
    Person.MANAGER: "manages the organisation, without a place in the project",
    Person.AUDITOR: "sees the whole city and changes nothing",
    Person.ADMINISTRATOR: "runs the city",
    Person.SERVICE_TOKEN: "a pipeline with a token for jobs, of an account that the project's lead made",
}


def _chapter(name: str, rules: tuple[Rule, ...]) -> str:
    return "\n".join(["", f"## {name}", "", *_table(rules), "", *_routes(rules), ""])


def _table(rules: tuple[Rule, ...]) -> Iterator[str]:
    yield f"| deed | {' | '.join(map(_called, _COLUMNS))} | tokens |"
    yield f"| --- {'| :-: ' * len(_COLUMNS)}| --- |"
    for rule in rules:
        told = [_told(rule, person) for person in _COLUMNS]
        yield f"| {rule.deed} | {' | '.join(told)} | {_tokens(rule)} |"


def _told(rule: Rule, person: Person) -> str:
    """By all routes of the row alike; a token may look by some, and not change anything by the others."""
    called = [address.split() for address in rule.addresses]
    by_programs = [(method, path) for method, path in called if path.startswith("/api/")]
    told = {
        expected(rule, person, method=method, is_api=path.startswith("/api/"))
        for method, path in (by_programs if person in TOKENS else []) or called
    }
    return _LOOK if told == {Decision.YES, Decision.NO} else ", ".join(sorted(_MARKS[one] for one in told))


def _called(person: Person) -> str:
    return _CALLED.get(person, person.value)


def _tokens(rule: Rule) -> str:
    good = {"jobs": rule.jobs_token, "project": rule.project_token, "own": rule.private}
    return (
        "strangers, too" if rule.of is Of.OPEN else ", ".join(name for name, is_so in good.items() if is_so)
    )


def _routes(rules: tuple[Rule, ...]) -> Iterator[str]:
    for rule in rules:
        yield f"<details><summary>{rule.deed}: routes</summary>"
        yield ""
        yield ", ".join(f"`{address}`" for address in rule.addresses)
        yield ""
        yield "</details>"


if __name__ == "__main__":
    main()
