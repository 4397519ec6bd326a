"""What a site says of its nodes' tools, by partition and by feature."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from schedulers.cluster import ClusterSnapshot, Node, NodeState, Partition
from schedulers.jobspec import JobSpec
from schedulers.protocol import Submission
from schedulers.slurm.known_programs import away_from_lacking_nodes, with_missing_programs

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NODES = (
    Node("g1", NodeState.UP, 8, 1024),
    Node("e1", NodeState.UP, 8, 1024, features=frozenset({"synopsys"})),
    Node("e2", NodeState.UP, 8, 1024),
)
CLUSTER = ClusterSnapshot(
    "slurm",
    NOW,
    (
        Partition("all", ("g1", "e1", "e2"), 3600, 600, is_default=True),
        Partition("eda", ("e1", "e2"), 3600, 600),
    ),
    NODES,
)


def missing(programs: dict[str, list[str]], program: str) -> set[str]:
    """The nodes that lack it."""
    told = with_missing_programs(CLUSTER, programs)
    return {node.name for node in told.nodes if program in node.missing_programs}


def test_of_nodes_that_nothing_names_all_is_believed() -> None:
    assert with_missing_programs(CLUSTER, {}) == CLUSTER
    assert missing({"eda": ["yosys"]}, "yosys") == set()
    assert missing({"eda": ["yosys"]}, "sta") == {"e1", "e2"}


def test_a_node_has_what_any_of_its_partitions_and_features_has() -> None:
    programs = {"all": ["python"], "eda": ["yosys"], "synopsys": ["sta"], "nowhere": ["magic"]}
    assert missing(programs, "python") == set()
    assert missing(programs, "yosys") == {"g1"}
    assert missing(programs, "sta") == {"g1", "e2"}
    assert missing(programs, "magic") == {"g1", "e1", "e2"}


def submission(**facts: object) -> Submission:
    spec = JobSpec(name="a", argv=("/bin/true",), programs=("sta",)).model_copy(update=facts)
    return Submission(UUID(int=1), spec, "alice", "uni", "lab", "/w", NOW)


@pytest.mark.parametrize(
    ("facts", "excluded"),
    [
        pytest.param({}, ("e2", "g1"), id="both nodes without it"),
        pytest.param({"exclude_nodes": ("x",)}, ("e2", "g1", "x"), id="beside those that it excludes"),
        pytest.param({"nodelist": ("g1",)}, ("e2",), id="but for one that it names"),
        pytest.param({"partition": "eda"}, ("e2",), id="of its own partition"),
        pytest.param({"programs": ("magic",)}, (), id="no node has it: the job says so itself"),
        pytest.param({"programs": ()}, (), id="it needs none"),
        pytest.param({"partition": "gone"}, (), id="no such partition"),
    ],
)
def test_a_job_stays_away_from_nodes_that_lack_its_programs(
    facts: dict[str, object], excluded: tuple[str, ...]
) -> None:
    told = with_missing_programs(CLUSTER, {"all": ["python"], "synopsys": ["sta"]})
    asked = submission(**facts)
    placed = away_from_lacking_nodes(asked, told)
    assert placed.spec.exclude_nodes == excluded
    assert replace(placed, spec=asked.spec) == asked
