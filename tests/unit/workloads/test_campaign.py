"""Matrix, buckets and pass rate of a campaign."""

from workloads.campaign import buckets, count, matrix, pass_rate, summary
from workloads.template import CampaignCell, Failure, Metric, TaskResult, Verdict

CELLS = [
    CampaignCell(0, "burst", "1"),
    CampaignCell(1, "burst", "2"),
    CampaignCell(2, "drain", "1"),
    CampaignCell(3, "drain", "2"),
]


def failed(index: int, signature: str, cycles: float | None = None) -> TaskResult:
    metrics = () if cycles is None else (Metric("cycles", cycles),)
    return TaskResult(
        index, f"task {index}", Verdict.FAIL, metrics, Failure(signature, signature, "logs/x.log", 3)
    )


def passed(index: int) -> TaskResult:
    return TaskResult(index, f"task {index}", Verdict.PASS)


def test_the_matrix_keeps_the_campaign_s_order_and_leaves_unknown_cells_empty() -> None:
    found = matrix(CELLS, [passed(3), failed(0, "a")])
    assert (found.rows, found.columns) == (("burst", "drain"), ("1", "2"))
    assert found.results["burst", "2"] is None
    assert found.results["drain", "2"] == passed(3)


def test_a_rerun_of_some_tasks_has_holes_in_its_matrix() -> None:
    found = matrix([CELLS[0], CELLS[3]], [])
    assert set(found.results) == {("burst", "1"), ("drain", "2")}


def test_buckets_group_by_signature_and_the_largest_comes_first() -> None:
    found = buckets([failed(5, "b"), failed(4, "a"), failed(1, "b"), passed(0)])
    assert [(bucket.signature, bucket.count, bucket.first.task_index) for bucket in found] == [
        ("b", 2, 1),
        ("a", 1, 4),
    ]


def test_equally_large_buckets_come_in_task_order() -> None:
    assert [bucket.signature for bucket in buckets([failed(2, "x"), failed(1, "y")])] == ["y", "x"]


def test_the_shortest_run_of_a_bucket_is_the_one_to_debug() -> None:
    [bucket] = buckets([failed(1, "a", 900), failed(2, "a", 40), failed(3, "a")])
    assert bucket.shortest().task_index == 2
    assert bucket.shortest("no such metric").task_index == 1


def test_no_result_is_not_a_pass_rate_of_zero() -> None:
    assert pass_rate([]) is None
    assert summary([]) == ()


def test_no_verdict_never_counts_as_a_pass() -> None:
    silent = TaskResult(1, "silent", Verdict.NO_VERDICT)
    tasks = [passed(0), silent, failed(2, "a"), passed(3)]
    assert pass_rate(tasks) == 0.5
    assert count(tasks, Verdict.NO_VERDICT) == 1
    assert Metric("tasks_no_verdict", 1) in summary(tasks)
