"""Nodes to test, each in a folder of its own."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schedulers.dask.node import NodeConfig, default_runtime_paths
from tests.integration.dask_node.node_under_test import NodeUnderTest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside pytest's own folder, which lets no other user pass."""
    path = Path(tempfile.mkdtemp(prefix="hpc-node-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def config(folder: Path) -> NodeConfig:
    return NodeConfig(
        name="test-node",
        state_dir=str(folder / "state"),
        workspace_root=str(folder / "workspaces"),
        cpus=64,
        memory_mib=64 * 1024,
        runtime_paths=default_runtime_paths(),
        idle_exit_seconds=20,
        sample_seconds=0.6,
    )


@pytest.fixture
def start_node(config: NodeConfig) -> Iterator[Callable[..., NodeUnderTest]]:
    """Start a node with changes to its configuration; skip where the isolation asked for cannot work."""
    nodes: list[NodeUnderTest] = []

    def start(**changes: Any) -> NodeUnderTest:  # noqa: ANN401 - the fields of NodeConfig
        node = NodeUnderTest(replace(config, **changes))
        nodes.append(node)
        status = node.status
        if changes.get("isolation", "auto") not in {"auto", status["isolation"]}:
            pytest.skip("; ".join(status["problems"]))
        if status["isolation"] == "none" and os.geteuid() == 0:
            pytest.skip("root needs bubblewrap or setpriv: " + "; ".join(status["problems"]))
        return node

    yield start
    for node in nodes:
        node.stop()


@pytest.fixture(params=["sandbox", "user" if os.geteuid() == 0 else "none"])
def isolated(request: pytest.FixtureRequest, start_node: Callable[..., NodeUnderTest]) -> NodeUnderTest:
    """A node under each isolation that can be had here."""
    return start_node(isolation=request.param, allow_unisolated_tenants=True)


@pytest.fixture
def node(start_node: Callable[..., NodeUnderTest]) -> NodeUnderTest:
    """A node under the best isolation that can be had here."""
    return start_node(allow_unisolated_tenants=True)
