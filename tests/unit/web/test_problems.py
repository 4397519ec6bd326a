"""Errors that the portal raises on purpose: each has a status and is said in the reader's language."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from hpc_portal.app import errors as app
from hpc_portal.app.reports.period import period
from hpc_portal.auth.errors import AuthError
from hpc_portal.web.cookies import local_path
from hpc_portal.web.language import load_languages
from hpc_portal.web.problems import problems_of, say_stored, status_of
from quotas.errors import (
    AllocationNotFound,
    BudgetExceeded,
    DraftNotFound,
    LimitExceeded,
    NoPriceList,
    NotEnoughFree,
    NothingCovers,
    QuotaError,
    Shortage,
    UnpricedResource,
)
from quotas.money import VND
from schedulers.cluster import ClusterSnapshot, Node, NodeState, Partition, check_fits
from schedulers.jobspec import JobSpec, ResourceRequest
from workloads import catalog
from workloads.errors import FieldProblem, InvalidParameters, TemplateNotFound, WorkloadError

VI = load_languages()["vi"]


def _leaves(kind: type[Exception]) -> list[type[Exception]]:
    below = kind.__subclasses__()
    return [leaf for child in below for leaf in _leaves(child)] or [kind]


@pytest.mark.parametrize("missing", [AllocationNotFound, DraftNotFound])
def test_what_is_not_there_or_not_for_the_reader_is_not_found(missing: type[QuotaError]) -> None:
    assert status_of(missing.__new__(missing)) == 404


@pytest.mark.parametrize("root", [app.PortalError, QuotaError, WorkloadError])
def test_every_error_has_a_status(root: type[Exception]) -> None:
    for leaf in _leaves(root):
        if not issubclass(leaf, AuthError):
            assert 400 <= status_of(leaf.__new__(leaf)) < 600, leaf


def test_a_budget_is_said_in_the_readers_language() -> None:
    [problem] = problems_of(BudgetExceeded("npu", VND, 1_000_000, 2_500_000), VI)
    assert problem.text.startswith("Dự án npu còn 1.000.000\N{NO-BREAK SPACE}₫; tác vụ này cần 2.500.000")


def test_a_budget_that_is_too_small_leads_to_the_request_that_it_lacks() -> None:
    [problem] = problems_of(BudgetExceeded("npu", "gres/gpu:h100", 3600, 10_000), VI)
    assert problem.href == "/requests/new?project=npu&missing.gres%2Fgpu%3Ah100=6400"
    assert problem.link == "Đề nghị cấp phần còn thiếu"


def test_several_shortages_are_all_named_and_all_asked_for() -> None:
    also = [Shortage("license/vcs", 0, 7200)]
    [problem] = problems_of(BudgetExceeded("npu", "cpu", 0, 3600, also=also), VI)
    assert problem.text.endswith("Còn thiếu cả 2,00\N{NO-BREAK SPACE}h Giấy phép vcs.")
    assert problem.href == "/requests/new?project=npu&missing.cpu=3600&missing.license%2Fvcs=7200"


def test_less_that_is_free_in_an_allocation_is_no_reason_to_ask_for_more() -> None:
    [problem] = problems_of(NotEnoughFree(UUID(int=1), VND, 5, 10), VI)
    assert problem.href == ""


def test_who_was_faster_is_named() -> None:
    at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    [problem] = problems_of(app.RequestNotOpen(UUID(int=1), "deny", "approved", by="Hà", at=at), VI)
    assert problem.text == (
        "Hà đã làm trước: từ 02/03/2026 10:00:00 đề nghị ở trạng thái “Đã duyệt”. "
        "Hãy xem đề nghị như hiện tại."
    )
    [problem] = problems_of(app.RequestNotOpen(UUID(int=1), "deny", "denied", by="", at=at), VI)
    assert "Từ chối" in problem.text


def test_a_limit_on_one_type_of_gpu_is_said_in_the_readers_language() -> None:
    error = LimitExceeded(
        limit="h100 GPUs in use at once",
        owner_kind="member",
        owner="linh",
        value=2,
        asked=1,
        in_use=2,
        raised_by="the lead of your project",
    )
    [problem] = problems_of(error, VI)
    assert "GPU dùng cùng lúc (H100)" in problem.text
    assert "trưởng dự án" in problem.text


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


def test_a_limit_of_a_field_is_said_with_its_number() -> None:
    with pytest.raises(InvalidParameters) as refused:
        catalog.template("rtl-regression").validate({"seeds": 10**9, "tests": []})
    texts = {problem.field: problem.text for problem in problems_of(refused.value, VI)}
    assert texts == {"seeds": "Hãy nhập nhiều nhất 100.000.", "tests": "Hãy nhập ít nhất 1 mục."}


@pytest.mark.parametrize(
    ("parameters", "field", "text"),
    [
        ({"array": "5-1"}, "array", "'5-1' không chứa chỉ số nào."),
        ({"array": "0-9%0"}, "array", "%0 thì không tác vụ con nào được chạy."),
        ({"array": "0-9%x"}, "array", "'0-9%x': sau dấu % phải là một số."),
        (
            {"script": "echo no interpreter"},
            "script",
            "Dòng đầu phải bắt đầu bằng #! và nêu trình thông dịch",
        ),
    ],
)
def test_what_a_job_says_about_itself_is_translated(
    parameters: dict[str, str], field: str, text: str
) -> None:
    script = catalog.template("script")
    with pytest.raises(InvalidParameters) as refused:
        script.render(script.validate(parameters))
    [problem] = problems_of(refused.value, VI)
    assert problem.field == field
    assert problem.text.startswith(text)


def test_what_a_cluster_can_never_run_is_said_in_the_readers_language() -> None:
    node = Node("n1", NodeState.UP, cpus=2, memory_mib=4096)
    partition = Partition("main", ("n1",), 3600, 600, is_default=True)
    cluster = ClusterSnapshot("danang", datetime(2026, 11, 26, tzinfo=UTC), (partition,), (node,))
    asked = ResourceRequest(cpus_per_task=64, gpus_per_node={"": 8}, walltime_seconds=7200)
    misfits = check_fits(JobSpec(name="big", script="#!/bin/sh", resources=asked), cluster)
    error = app.InvalidSubmission([app.Problem(one.field, one.text, one.facts) for one in misfits])
    walltime, cpus, gpus = (problem.text for problem in problems_of(error, VI))
    assert walltime.startswith("Phân vùng main cho chạy tối đa 01:00:00; tác vụ này xin 02:00:00.")
    assert cpus == "Nút lớn nhất của phân vùng main có 2 CPU, tác vụ này xin 64."
    assert gpus.startswith("Không nút nào của phân vùng main có 8 x GPU; nhiều nhất là 0.")
    assert "has 2 CPUs, not 64" in str(error)


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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnpricedResource("gres/gpu:h100", "main", 3), "Chưa có giá cho GPU H100 trong phân vùng main."),
        (NothingCovers("npu", "cpu"), "Dự án npu khi đó không có"),
        (NoPriceList(), "Chưa có bảng giá"),
    ],
)
def test_a_reason_that_was_stored_as_text_is_said_in_the_readers_language(
    error: QuotaError, said: str
) -> None:
    assert say_stored(str(error), VI).startswith(said)


def test_facts_are_said_as_people_write_them() -> None:
    with pytest.raises(app.InvalidEntry) as refused:
        period(date(1999, 1, 1), None, now=datetime(2026, 11, 26, tzinfo=UTC))
    assert "từ năm 2000 đến năm 2199" in problems_of(refused.value, VI)[0].text
    text = "The course's budget limits %(asset)s, which every job needs. Give each student some of it."
    lacking = app.Problem("each", text, {"asset": "cpu"})
    assert "giới hạn Nhân CPU" in problems_of(app.InvalidEntry([lacking]), VI)[0].text
