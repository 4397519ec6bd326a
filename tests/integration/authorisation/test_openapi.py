"""Every operation, called as its own description allows and forbids: no server error, no answer it lacks.

A call of each kind by each person in every run of the tests; `make fuzz` makes as many as one has time for.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import pytest
import requests
import schemathesis
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.in_process import Call
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.conftest import ON_BOTH, Set
from tests.integration.authorisation.examples import examples_of

PARTS = 8
"""The operations are tried in so many tests, which run beside each other."""
CALLERS = (Person.ADMINISTRATOR, Person.OWNER, Person.NOBODY)
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
"""Left out, of those that Schemathesis has:

- `positive_data_acceptance`: what is well-formed may be refused; no JSON schema says that a name is taken.
- `ignored_auth`, `object_level_authorization`: `test_matrix.py` has sixteen callers and knows what each may.
- `use_after_free`, `ensure_resource_availability`: they compare calls, and here each call is undone.
- `unsupported_method`, `allow_header_conformance`, `missing_required_header`: for its coverage phase, which
  only its own runner has.
"""
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
ACase: TypeAlias = Case[Any]


@ON_BOTH
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
