from schedulers.dask.ends import end_of_gang
from schedulers.dask.messages import RunReport
from schedulers.dask.sampling import GpuMeter, Usage


def test_a_gpu_counts_as_busy_as_it_was_seen_since_the_look_before() -> None:
    usage = Usage(last_sample_at=100.0)
    usage.see_gpus(50, 2, 110.0)  # one GPU's worth for 10 s
    usage.last_sample_at = 110.0
    usage.see_gpus(100, 2, 120.0)  # two for 10 s
    usage.last_sample_at = 120.0
    assert usage.gpu_busy_seconds == 10 + 20


def test_after_its_last_sample_a_run_went_on_as_before() -> None:
    usage = Usage(last_sample_at=100.0)
    usage.see_gpus(25, 4, 102.0)
    usage.last_sample_at = 102.0
    assert usage.gpu_busy_until(105.0) == 2 + 3


def test_what_nobody_measured_is_not_called_idle() -> None:
    assert Usage(last_sample_at=100.0).gpu_busy_until(200.0) is None
    assert GpuMeter(()).count == 0


def test_an_idle_gpu_is_zero_and_not_unknown() -> None:
    usage = Usage(last_sample_at=100.0)
    usage.see_gpus(0, 1, 102.0)
    assert usage.gpu_busy_until(200.0) == 0.0


def test_a_clock_set_back_takes_nothing_away() -> None:
    usage = Usage(last_sample_at=100.0)
    usage.see_gpus(100, 1, 90.0)
    assert usage.gpu_busy_seconds == 0.0


def test_the_ranks_of_a_gang_are_busy_together() -> None:
    ranks = [
        RunReport("a", "lane", "COMPLETED", started_at=1.0, ended_at=9.0, gpu_busy_seconds=4.5),
        RunReport("b", "lane", "COMPLETED", started_at=1.0, ended_at=9.0, gpu_busy_seconds=3.0),
        RunReport("c", "lane", "COMPLETED", started_at=1.0, ended_at=9.0),
    ]
    assert end_of_gang(ranks).gpu_busy_seconds == 7.5
    assert end_of_gang(ranks[2:]).gpu_busy_seconds is None


def test_a_report_keeps_what_was_measured_on_its_way() -> None:
    report = RunReport("a", "lane", "COMPLETED", gpu_busy_seconds=0.0)
    assert RunReport.from_json(report.to_json()) == report
