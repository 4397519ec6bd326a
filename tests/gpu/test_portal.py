"""The whole portal on a machine with a GPU: jobs of people, placed, isolated, measured and charged."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hpc_portal.app import demo
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.prices.publish import publish_prices
from hpc_portal.app.schema import upgrade
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.demo_jobs import WatchedJob, log_tail, sign_in, submit_job
from hpc_portal.cli.demo_portal import running_portal, wait_for_cluster
from hpc_portal.cli.errors import Refused
from hpc_portal.cli.portal import Portal
from quotas.pricing import PriceItem
from schedulers import tres
from schedulers.dask.gpus import find_gpus
from schedulers.dask.isolation import probe
from schedulers.dask.node import NodeConfig
from schedulers.tres import gpu_tres
from tests.gpu.the_gpu import ASKED, first_gpu
from tests.small_city import SilentWake

PATIENCE_SECONDS = 180
PROJECT = "dut-ai"
SUBSIDY = 0.25
"""Of the demo's university."""
VND_PER_GPU_HOUR = 5_400_000
"""Of the type that is here: far dearer than all else, so that charges tell what was charged."""

pytestmark = pytest.mark.timeout(900)
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="this Python has no PyTorch")


@dataclass(frozen=True)
class Ran:
    """A job that has ended."""

    job: dict[str, Any]
    tasks: list[dict[str, Any]]
    results: dict[str, Any]
    workspace: Path
    log: str

    @property
    def metrics(self) -> dict[str, float]:
        return {one["name"]: one["value"] for one in self.results["metrics"]}


@dataclass(frozen=True)
class Site:
    """The portal as the demo's researcher has it."""

    portal: Portal
    settings: Settings

    def submit(self, template: str, **parameters: Any) -> WatchedJob:  # noqa: ANN401 - a template's
        body = {"project": PROJECT, "template": template, "parameters": parameters}
        return submit_job(self.portal, body)

    def ended(self, watched: WatchedJob) -> Ran:
        """The job once it is charged; it must have completed."""
        name = f"/jobs/{watched.job['id']}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (job := self.portal.get(name))["phase"] != "settled":
            assert time.monotonic() < deadline, (job, self.portal.get(f"{name}/events"))
            time.sleep(0.2)
        assert job["state"] == "COMPLETED", (job["state"], job["state_reason"], log_tail(watched))
        [workspace] = self.settings.effective_workspace_root.glob(f"*/*/*/{job['id']}")
        tasks, results = self.portal.get(f"{name}/tasks")["items"], self.portal.get(f"{name}/results")
        return Ran(job, tasks, results, workspace, "\n".join(log_tail(watched)))

    def run(self, template: str, **parameters: Any) -> Ran:  # noqa: ANN401 - a template's
        return self.ended(self.submit(template, **parameters))

    def script(self, text: str, gpus: int, **resources: Any) -> WatchedJob:  # noqa: ANN401 - a template's
        asked = {"walltime_seconds": 300, "memory_mib": 8192, **resources}
        if gpus:
            asked["gpus_per_node"] = {"any": gpus}
        return self.submit("script", script=f"#!/bin/bash\nset -e\n{text}\n", resources=asked)


@pytest.fixture(scope="module")
def kind() -> str:
    return first_gpu().type


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, kind: str) -> Iterator[Site]:
    """A portal whose embedded node has to find the GPU by itself."""
    settings = Settings(
        state_dir=tmp_path_factory.mktemp("portal"),
        port=0,
        cluster_uid_base=60_000 if os.geteuid() == 0 else 0,
    )
    upgrade(settings)
    engine = build_engine(settings)
    commits = GroupCommit(engine)
    services = Services(settings, engine, commits, SilentWake(), SystemClock())
    others = [item for item in demo.PRICES if item.tres not in (tres.GPU, gpu_tres(kind))]
    own = [PriceItem(name, VND_PER_GPU_HOUR) for name in (tres.GPU, gpu_tres(kind))]
    publish_prices(services, OPERATOR, (*others, *own))
    demo.seed_city(services)
    commits.close()
    engine.dispose()
    with running_portal(settings) as url, sign_in(url, demo.RESEARCHER) as portal:
        wait_for_cluster(portal)
        yield Site(portal, settings)


def check_gpu_use(site: Site, ran: Ran, kind: str, *, busy: bool = True) -> None:
    """The GPU was given, measured and charged by its type."""
    site_wide = site.portal.get(f"/jobs/{ran.job['id']}/utilisation")
    for task in ran.tasks:
        held = task["allocated_tres"]
        assert [held.get(name, 0) for name in ("gres/gpu", f"gres/gpu:{kind}")] == [ASKED, ASKED], held
        assert task["charged_vnd"] == pytest.approx(charge(task, kind), abs=4)
    if busy:
        assert all(0 < task["gpu_busy_seconds"] <= task["elapsed_seconds"] + 1 for task in ran.tasks)
        points = site_wide["nodes"][0]["points"]
        assert any(point["gpu_percent"] for point in points), points
        assert any(point["gpu_memory_mib"] > 300 for point in points), "a context alone takes as much"


def charge(task: Mapping[str, Any], kind: str) -> float:
    """What this use costs after the subsidy, worked out by hand."""
    rates = {item.tres: item.rate_vnd_per_hour for item in demo.PRICES}
    held, hours = task["allocated_tres"], task["elapsed_seconds"] / 3600
    gpu = held.get(f"gres/gpu:{kind}", 0) * VND_PER_GPU_HOUR
    other = held["cpu"] * rates["cpu"] + held["mem"] / 1024 * rates["mem"]
    return float((1 - SUBSIDY) * hours * (gpu + other))


def seconds_of(task: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(task["started_at"]), datetime.fromisoformat(task["ended_at"])


def test_the_node_has_found_its_gpu(site: Site, kind: str) -> None:
    [cluster] = site.portal.get("/clusters")["items"]
    [node] = cluster["nodes"]
    assert node["gpus"] == {kind: len(find_gpus())}


def test_the_node_passes_its_burn_in(site: Site, kind: str) -> None:
    ran = site.run("gpu-health", gpus=ASKED, seconds=8)
    assert ran.results["tasks"][0]["verdict"] == "pass", ran.log
    assert ran.metrics["checked_products"] >= 2
    check_gpu_use(site, ran, kind)


def test_the_yield_of_a_netlist_is_that_of_the_cpu(site: Site, kind: str) -> None:
    given = {"period_ns": 0.9, "target_yield": 0.1}
    of_cpu = site.submit("statistical-timing", **given, samples=100_000)
    ran = site.run("statistical-timing", **given, samples=20_000_000, gpus=ASKED)
    assert '"backend": "cupy"' in (ran.workspace / "timing.json").read_text() or not ASKED
    check_gpu_use(site, ran, kind, busy=False)
    other = site.ended(of_cpu)
    assert '"backend": "numpy"' in (other.workspace / "timing.json").read_text()
    assert ran.metrics["nominal_delay"] == other.metrics["nominal_delay"]
    assert ran.metrics["mean_delay"] == pytest.approx(other.metrics["mean_delay"], rel=0.002)
    assert other.metrics["yield_low_rate"] - 0.005 < ran.metrics["yield_rate"]
    assert ran.metrics["yield_rate"] < other.metrics["yield_high_rate"] + 0.005
    assert other.tasks[0]["gpu_busy_seconds"] is None
    assert not [name for name in other.tasks[0]["allocated_tres"] if "gpu" in name]


def test_the_coverage_of_test_patterns_is_that_of_the_cpu_to_the_last_pattern(site: Site, kind: str) -> None:
    of_cpu = site.submit("fault-simulation")
    ran = site.run("fault-simulation", gpus=ASKED)
    check_gpu_use(site, ran, kind, busy=False)
    other = site.ended(of_cpu)
    timeless = [
        {name: value for name, value in one.metrics.items() if name != "simulation_seconds"}
        for one in (ran, other)
    ]
    assert timeless[0] == timeless[1]
    assert ran.results["series"] == other.results["series"]
    assert (ran.workspace / "undetected.txt").read_bytes() == (
        other.workspace / "undetected.txt"
    ).read_bytes()


@needs_torch
def test_a_training_learns_on_the_gpu(site: Site, kind: str) -> None:
    ran = site.run("pytorch-training", epochs=200, gpus=ASKED, gpu_type=kind if ASKED else None)
    assert ran.results["tasks"][0]["verdict"] == "pass"
    assert '"device": "cuda"' in (ran.workspace / "metrics.jsonl").read_text() or not ASKED
    check_gpu_use(site, ran, kind)


@needs_torch
def test_shards_of_an_inference_share_one_gpu_one_after_the_other(site: Site, kind: str) -> None:
    ran = site.run("batch-inference", shards=2, gpus=ASKED)
    check_gpu_use(site, ran, kind, busy=False)
    first, second = sorted(map(seconds_of, ran.tasks))
    assert first[1] <= second[0] or len(find_gpus()) > 1 or not ASKED
    assert [task["verdict"] for task in ran.results["tasks"]] == ["pass", "pass"]
    assert len((ran.workspace / "merged.jsonl").read_text().splitlines()) == 1797


def test_a_script_sees_the_gpu_that_it_was_given(site: Site, kind: str) -> None:
    ran = site.ended(site.script('nvidia-smi -L\necho "visible=$CUDA_VISIBLE_DEVICES"', ASKED))
    assert re.search(r"visible=\d+$", ran.log, re.MULTILINE)
    assert ran.log.count("GPU ") == 1
    check_gpu_use(site, ran, kind, busy=False)


def test_two_jobs_that_need_the_gpu_run_one_after_the_other(site: Site) -> None:
    both = [site.script("sleep 3", len(find_gpus())) for _ in "ab"]
    first, second = sorted(seconds_of(site.ended(one).tasks[0]) for one in both)
    assert first[1] <= second[0]


def test_a_job_that_asked_for_none_sees_none(site: Site) -> None:
    looks = (
        'echo "visible=[$CUDA_VISIBLE_DEVICES]"',
        "python -c 'import cupy; print(\"cupy\", cupy.is_available())'",
        *(
            ["python -c 'import torch; print(\"torch\", torch.cuda.is_available())'"]
            if find_spec("torch")
            else []
        ),
    )
    ran = site.ended(site.script("\n".join(looks), 0))
    assert "visible=[]" in ran.log
    assert "cupy False" in ran.log
    assert "torch True" not in ran.log
    assert ran.tasks[0]["gpu_busy_seconds"] is None
    assert ran.tasks[0]["charged_vnd"] == pytest.approx(charge(ran.tasks[0], "none"), abs=4)


def test_a_sandbox_has_no_device_file_of_a_gpu_that_is_not_its_own(site: Site, tmp_path: Path) -> None:
    node = NodeConfig("probe", str(tmp_path), str(tmp_path), 1, 1024, find_gpus())
    if (probed := probe(node)).isolation != "sandbox":
        pytest.skip(f"no sandbox here: {probed.problems}")
    looks = 'for file in /dev/nvidia[0-9]*; do [ ! -e "$file" ] || echo "sees $file"; done; echo done'
    without, with_one = [site.ended(site.script(looks, gpus)).log for gpus in (0, ASKED)]
    assert "done" in without
    assert "sees" not in without
    assert with_one.count("sees") == ASKED


def test_more_gpus_than_there_are_are_refused_in_words(site: Site, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        site.script("true", len(find_gpus()) + 1)
    assert "GPU" in str(refused.value.fields), refused.value
    with pytest.raises(Refused) as refused:
        site.submit("pytorch-training", gpus=1, gpu_type=f"not-{kind}")
    assert f"not-{kind}" in str(refused.value.fields), refused.value
