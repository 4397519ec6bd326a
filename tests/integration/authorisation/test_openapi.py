"""Every operation, called as its own description allows and forbids: no server error, no answer it lacks.

Run by `make fuzz`, which chooses how many calls of each.
"""

import os
from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.in_process import Call
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.conftest import Set

EXAMPLES = int(os.environ.get("HPC_FUZZ_EXAMPLES", "1"))
"""Calls of each operation by each person, of either kind: as it is described, and not so."""
pytestmark = pytest.mark.skipif(
    "HPC_FUZZ_EXAMPLES" not in os.environ, reason="`make fuzz` runs it, for as long as one has time"
)
PARTS = 8
"""The operations are tried in so many tests, which run beside each other."""
CALLERS = (Person.ADMINISTRATOR, Person.OWNER, Person.NOBODY)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
ACase: TypeAlias = Case[Any]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_operation_answers_as_it_is_described(set_: Set, part: int) -> None:
    schema = schemathesis.openapi.from_dict(set_.stage.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)][part::PARTS]
    assert operations
    wrong: dict[str, str] = {}
    tried = 0
    for operation in operations:
        for person in CALLERS:
            for call in calls_of(set_, operation):
                tried += 1
                if problem := problem_of(set_, person, call):
                    wrong.setdefault(
                        f"{operation.label}: {problem.splitlines()[0]}", f"{person.value}: {problem}"
                    )
    print(f"{tried} calls of {len(operations)} operations")
    assert not wrong, "\n\n".join(wrong.values())


def calls_of(set_: Set, operation: Operation) -> Iterator[ACase]:
    """As it is described, of things that are there; and not as it is described."""
    known = {name: value for name, value in set_.parameters.items() if f"{{{name}}}" in operation.path}
    places: dict[str, Any] = {"path_parameters": known} if known else {}
    yield from examples_of(operation.as_strategy(GenerationMode.POSITIVE, **places))
    try:
        yield from examples_of(operation.as_strategy(GenerationMode.NEGATIVE, **places))
    except Unsatisfiable:
        return  # there is nothing to do wrong


def examples_of(strategy: st.SearchStrategy[ACase]) -> list[ACase]:
    """The same ones each time."""
    found: list[ACase] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: ACase) -> None:
        found.append(case)

    collect()
    return found


def problem_of(set_: Set, person: Person, case: ACase) -> str:
    """What is wrong with the answer; "" for nothing."""
    request = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    stage = set_.stage
    answer = stage.call(person, as_call(request))
    stage.reset()
    reply = schemathesis.Response(
        status_code=answer.status,
        headers={name: [value] for name, value in answer.headers.items()},
        content=answer.content,
        request=request,
        elapsed=0,
        verify=False,
    )
    try:
        case.validate_response(reply, checks=CHECKS)
    except FailureGroup as group:
        return "; ".join(f"{one.title}: {one.message}" for one in group.exceptions) + f"\n{answer.text[:600]}"
    return ""


def as_call(request: requests.PreparedRequest) -> Call:
    """As the application is called here."""
    address = urlsplit(str(request.url))
    headers = {
        name: str(value) for name, value in request.headers.items() if name.lower() != "content-length"
    }
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else body
    assert isinstance(content, bytes)
    return Call(str(request.method), unquote(address.path), address.query, headers, content=content)
