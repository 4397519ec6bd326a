"""Errors that the portal raises on purpose: each has a status and is said in the reader's language."""

import pytest

from hpc_portal.app import errors as app
from hpc_portal.auth.errors import AuthError
from hpc_portal.web.language import load_languages
from hpc_portal.web.problems import problems_of, status_of
from hpc_portal.web.sign_in import local_path
from quotas.errors import BudgetExceeded, LimitExceeded, QuotaError
from quotas.money import VND
from workloads.errors import FieldProblem, InvalidParameters, TemplateNotFound, WorkloadError

VI = load_languages()["vi"]


def _leaves(kind: type[Exception]) -> list[type[Exception]]:
    below = kind.__subclasses__()
    return [leaf for child in below for leaf in _leaves(child)] or [kind]


@pytest.mark.parametrize("root", [app.PortalError, QuotaError, WorkloadError])
def test_every_error_has_a_status(root: type[Exception]) -> None:
    for leaf in _leaves(root):
        if not issubclass(leaf, AuthError):
            assert 400 <= status_of(leaf.__new__(leaf)) < 600, leaf


def test_a_budget_is_said_in_the_readers_language() -> None:
    [problem] = problems_of(BudgetExceeded("npu", VND, 1_000_000, 2_500_000), VI)
    assert problem.text.startswith("Dự án npu còn 1.000.000\N{NO-BREAK SPACE}₫; tác vụ này cần 2.500.000")


def test_a_limit_names_its_owner_and_numbers() -> None:
    error = LimitExceeded(
        limit="GPUs in use at once",
        owner_kind="project",
        owner="npu",
        value=8,
        asked=16,
        in_use=4,
        raised_by="the manager of your organisation",
    )
    [problem] = problems_of(error, VI)
    assert problem.text == (
        "Giới hạn của npu là 8 GPU dùng cùng lúc, trong đó 4 đang dùng; tác vụ này xin 16. "
        "Hãy xin ít hơn, hoặc đề nghị người quản lý của đơn vị bạn nâng giới hạn."
    )


def test_pydantics_errors_are_translated_field_by_field() -> None:
    error = InvalidParameters(
        "script",
        [FieldProblem("resources.cpus", "Input should be a valid integer", "int_parsing")],
    )
    [problem] = problems_of(error, VI)
    assert (problem.field, problem.text) == ("resources.cpus", "Hãy nhập một số nguyên.")


def test_what_others_may_not_see_is_not_told_apart_from_what_is_not_there() -> None:
    hidden, missing = app.JobNotFound("a"), TemplateNotFound("b", ())
    assert problems_of(hidden, VI) == problems_of(missing, VI)
    assert status_of(hidden) == status_of(missing) == 404


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/jobs?state=RUNNING", "/jobs?state=RUNNING"),
        ("https://evil.example", "/"),
        ("//evil.example/x", "/"),
        ("/\\evil.example", "/"),
        ("/jobs\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_a_sign_in_leads_only_to_our_own_pages(asked: str, given: str) -> None:
    assert local_path(asked) == given
