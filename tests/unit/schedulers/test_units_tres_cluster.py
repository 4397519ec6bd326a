"""Text forms of time and memory, arithmetic on TRES, and whether a cluster can ever run a job."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers import tres
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState, Partition, check_fits
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.units import format_memory, format_walltime, parse_memory_mib, parse_walltime


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("1:30", 90),
        ("01:30:00", 5400),
        ("2-12", 216_000),
        ("1-00:30", 88_200),
        ("1-02:03:04", 93_784),
        (" 5 ", 300),
    ],
)
def test_a_walltime_reads_as_in_sbatch(text: str, seconds: int) -> None:
    assert parse_walltime(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "x", "1:2:3:4", "-5", "1-", "1:-2", "1-1:1:1:1", "\u0663"])
def test_what_is_no_walltime_is_refused(text: str) -> None:
    with pytest.raises(InvalidJobSpec):
        parse_walltime(text)


@given(st.integers(1, 366 * 86_400))
def test_a_walltime_printed_reads_back(seconds: int) -> None:
    assert parse_walltime(format_walltime(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "mib"), [("512", 512), ("512M", 512), ("4G", 4096), ("1K", 1), ("1025k", 2), ("1T", 1024**2)]
)
def test_a_memory_size_reads_as_in_sbatch_and_rounds_up(text: str, mib: int) -> None:
    assert parse_memory_mib(text) == mib


@pytest.mark.parametrize("text", ["", "G", "-1", "1.5G", "4GiB"])
def test_what_is_no_memory_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidJobSpec):
        parse_memory_mib(text)


def test_memory_is_shown_in_round_units() -> None:
    assert [format_memory(mib) for mib in (512, 1024, 1536, 4096)] == [
        "512 MiB",
        "1 GiB",
        "1536 MiB",
        "4 GiB",
    ]


def test_amounts_of_tres_add_and_multiply_resource_by_resource() -> None:
    assert tres.add({"cpu": 1, "mem": 5}, {"cpu": 2}, {"node": 1}) == {"cpu": 3, "mem": 5, "node": 1}
    assert tres.times({"cpu": 2, "gres/gpu:h100": 1}, 60) == {"cpu": 120, "gres/gpu:h100": 60}
    assert tres.gpu_tres("") == "gres/gpu"


@pytest.mark.parametrize("name", ["cpu", "gres/gpu", "gres/gpu:h100", "license/vcs", "billing"])
def test_names_of_slurms_resources_are_taken(name: str) -> None:
    assert tres.require_tres(name) == name


@pytest.mark.parametrize("name", ["", "gpu", "gres/gpu:", "license/", "license/a b", "CPU"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidJobSpec):
        tres.require_tres(name)


CLUSTER = ClusterSnapshot(
    name="danang",
    as_of=datetime(2026, 1, 1, tzinfo=UTC),
    partitions=(
        Partition("main", ("n1", "n2"), 3600, 600, is_default=True),
        Partition("one", ("n1",), 7200, 600, max_nodes_per_job=1),
    ),
    nodes=(
        Node("n1", NodeState.UP, cpus=8, memory_mib=8192),
        Node("n2", NodeState.DOWN, cpus=4, memory_mib=65_536, gpus={"h100": 2, "a100": 1}),
    ),
    licenses=(License("vcs", total=2, used=2),),
)


def fits(partition: str | None = None, **facts: object) -> list[str]:
    asked = ResourceRequest.model_validate({"memory_mib_per_node": 10, **facts})
    spec = JobSpec(name="job", argv=("true",), partition=partition, resources=asked)
    return [misfit.field for misfit in check_fits(spec, CLUSTER)]


def test_a_job_fits_if_it_could_run_when_everything_is_free_and_up() -> None:
    assert fits() == []
    assert fits(gpus_per_node={"h100": 2, "": 1}) == []
    assert fits(nodes=2, ntasks=2) == []
    assert fits(licenses={"vcs": 2}) == []


def test_every_reason_names_the_field_to_change() -> None:
    assert fits("gone") == ["partition"]
    assert fits(walltime_seconds=3601) == ["walltime_seconds"]
    assert fits(nodes=3, ntasks=3) == ["nodes"]
    assert fits("one", nodes=2, ntasks=2) == ["nodes"]
    assert fits(ntasks=9) == ["cpus_per_task"]
    assert fits(memory_mib_per_node=65_537) == ["memory_mib_per_node"]
    assert fits(gpus_per_node={"h100": 3}) == ["gpus_per_node"]
    assert fits(gpus_per_node={"": 4}) == ["gpus_per_node"]
    assert fits(licenses={"vcs": 3, "dc": 1}) == ["licenses", "licenses"]


def test_what_no_single_node_has_together_does_not_fit() -> None:
    assert fits(ntasks=8, gpus_per_node={"h100": 1}) == ["resources"]


def test_the_default_partition_is_meant_when_none_is_named() -> None:
    default = CLUSTER.partition(None)
    assert default
    assert default.name == "main"
    assert CLUSTER.partition("gone") is None
