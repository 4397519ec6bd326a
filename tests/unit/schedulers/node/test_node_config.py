"""What a node is told, by variables and by settings."""

import json

import pytest

from schedulers.dask.gpus import gpu_type
from schedulers.dask.isolation import job_path
from schedulers.dask.node import Gpu, NodeConfig, declared_gpus, machine_cpus, machine_memory_mib
from schedulers.dask.plugin import config_from_environment

REQUIRED = {"HPC_NODE_STATE_DIR": "/var/lib/hpc-node", "HPC_NODE_WORKSPACE_ROOT": "/srv/hpc"}


def test_a_configuration_survives_json() -> None:
    config = NodeConfig(
        name="n1",
        state_dir="/s",
        workspace_root="/w",
        cpus=8,
        memory_mib=16000,
        gpus=(Gpu(0, "h100", 3),),
        runtime_paths=("/opt/python",),
        data_paths=("/kits",),
        orphan_grace_seconds=60.0,
    )
    assert NodeConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_jobs_find_a_tree_s_programs_first_and_those_of_a_driver_that_a_container_brought_last() -> None:
    folders = job_path(NodeConfig("n1", "/s", "/w", 8, 16000, runtime_paths=("/opt/python",))).split(":")
    assert (folders[0], folders[-1]) == ("/opt/python/bin", "/usr/local/nvidia/bin")


def test_a_node_offers_the_whole_machine_unless_told_otherwise() -> None:
    config = config_from_environment(REQUIRED)
    assert (config.cpus, config.memory_mib) == (machine_cpus(), machine_memory_mib())
    assert config.orphan_grace_seconds == 60
    assert config.isolation == "auto"
    assert not config.allow_unisolated_tenants


def test_a_node_takes_what_its_variables_say() -> None:
    config = config_from_environment(
        {
            **REQUIRED,
            "HPC_NODE_NAME": "gpu-7",
            "HPC_NODE_CPUS": "96",
            "HPC_NODE_MEMORY_MIB": "500000",
            "HPC_NODE_GPUS": '{"h100": 2, "a100": 1}',
            "HPC_NODE_RUNTIME_PATHS": "/opt/eda:/opt/python",
            "HPC_NODE_DATA_PATHS": "/kits",
            "HPC_NODE_ISOLATION": "user",
            "HPC_NODE_ORPHAN_GRACE_SECONDS": "30",
            "HPC_NODE_ALLOW_UNISOLATED_TENANTS": "1",
        }
    )
    assert config == NodeConfig(
        name="gpu-7",
        state_dir="/var/lib/hpc-node",
        workspace_root="/srv/hpc",
        cpus=96,
        memory_mib=500000,
        gpus=(Gpu(0, "h100"), Gpu(1, "h100"), Gpu(2, "a100")),
        runtime_paths=("/opt/eda", "/opt/python"),
        data_paths=("/kits",),
        isolation="user",
        allow_unisolated_tenants=True,
        orphan_grace_seconds=30.0,
    )
    assert config.gpus_by_type == {"a100": (2,), "h100": (0, 1)}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HPC_NODE_STATE_DIR", ""),
        ("HPC_NODE_WORKSPACE_ROOT", "relative/path"),
        ("HPC_NODE_CPUS", "many"),
        ("HPC_NODE_GPUS", "h100"),
        ("HPC_NODE_GPUS", "[1]"),
        ("HPC_NODE_ISOLATION", "sandbx"),
        ("HPC_NODE_ORPHAN_GRACE_SECONDS", "soon"),
    ],
)
def test_a_wrong_variable_is_an_error_at_the_start(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match="HPC_NODE_"):
        config_from_environment({**REQUIRED, variable: value})


def test_declared_gpus_are_numbered_through() -> None:
    assert declared_gpus({"h100": 1, "a100": 2}) == (Gpu(0, "h100"), Gpu(1, "a100"), Gpu(2, "a100"))


@pytest.mark.parametrize(
    ("product", "slug"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA TITAN Xp", "nvidia-titan-xp"),
    ],
)
def test_a_gpus_type_is_a_slug_of_its_product(product: str, slug: str) -> None:
    assert gpu_type(product) == slug
