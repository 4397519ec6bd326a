"""What a reply means does not depend on its status alone."""

import json
from typing import Any

import pytest

from schedulers.errors import SchedulerError, SchedulerUnavailable, SubmitUncertain
from schedulers.slurm.answers import problem_of, read_answer
from schedulers.slurm.errors import EndpointMissing, SlurmRefused, TokenRefused


def judged(status: int, body: object) -> SchedulerError | None:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return problem_of(read_answer(status, content), path="/slurm/v0.0.42/jobs", user="alice")


def error(number: int, text: str = "Something") -> dict[str, Any]:
    return {"errors": [{"error_number": number, "error": text, "description": "Batch job submission failed"}]}


def test_data_without_errors_is_no_problem() -> None:
    assert judged(200, {"jobs": [], "errors": [], "warnings": [{"description": "Zero jobs"}]}) is None


def test_a_change_that_was_made_already_is_no_problem() -> None:
    assert judged(304, "") is None


@pytest.mark.parametrize("status", [200, 404, 422, 500, 511])
def test_an_error_of_slurm_is_a_no_in_its_own_words_whatever_the_status(status: int) -> None:
    problem = judged(status, error(2000, "Invalid partition name specified"))
    assert isinstance(problem, SlurmRefused)
    assert problem.reason == "Batch job submission failed: Invalid partition name specified"
    assert problem.numbers == {2000}


def test_addresses_in_slurms_memory_are_left_out_of_its_words() -> None:
    complaint = {"error_number": 2002, "description": "slurmdb_qos_add(0x7f92540311c0) failed", "error": "No"}
    problem = judged(500, {"errors": [complaint]})
    assert isinstance(problem, SlurmRefused)
    assert problem.reason == "slurmdb_qos_add failed: No"


@pytest.mark.parametrize("number", [1007, 6000, 6001, 9008])
def test_a_token_that_is_not_accepted_is_nobodys_jobs_fault(number: int) -> None:
    problem = judged(511, error(number, "Protocol authentication error"))
    assert isinstance(problem, TokenRefused)
    assert "'alice'" in str(problem)
    assert "Protocol authentication error" in str(problem)


def test_the_plain_401_of_slurmrestd_is_about_the_token_too() -> None:
    assert isinstance(judged(401, "Authentication failure"), TokenRefused)


@pytest.mark.parametrize("number", [1001, 1800, 1804, 2007, 2027, 7000])
def test_a_daemon_that_was_not_reached_or_takes_nothing_now_has_changed_nothing(number: int) -> None:
    problem = judged(500, error(number))
    assert isinstance(problem, SchedulerUnavailable)
    assert not isinstance(problem, TokenRefused | EndpointMissing)


@pytest.mark.parametrize("number", [1003, 1802, 5004])
def test_a_daemon_whose_answer_got_lost_may_have_acted(number: int) -> None:
    assert isinstance(judged(500, error(number)), SubmitUncertain)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failure_without_slurms_errors_tells_nothing(status: int) -> None:
    assert isinstance(judged(status, "<html>Bad Gateway</html>"), SubmitUncertain)


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_that_passed_nothing_on_has_changed_nothing(status: int) -> None:
    assert isinstance(judged(status, "busy"), SchedulerUnavailable)


def test_a_page_instead_of_data_tells_nothing() -> None:
    assert isinstance(judged(200, "<html>Please sign in</html>"), SubmitUncertain)


def test_a_404_of_slurmrestd_means_the_url_and_one_with_errors_means_the_job() -> None:
    assert isinstance(judged(404, "Unable find requested URL."), EndpointMissing)
    assert isinstance(judged(404, error(9006)), EndpointMissing)
    assert isinstance(judged(404, error(2017, "Invalid job id specified")), SlurmRefused)


def test_a_name_that_is_not_utf_8_spoils_nothing_else() -> None:
    answer = read_answer(200, b'{"jobs": [{"name": "Tr\xe2n"}]}')
    assert answer.body == {"jobs": [{"name": "Tr\N{REPLACEMENT CHARACTER}n"}]}
