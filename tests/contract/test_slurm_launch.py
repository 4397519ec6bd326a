"""How a job starts on a real Slurm: on every node or on the first, warned before its end, named by us."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schedulers.jobspec import JobSpec
from schedulers.protocol import Submission
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.translate import job_request
from scripts.slurm_cluster.instance import Instance
from tests.contract.slurm_bench import ACCOUNT, USER, slurm_client

pytestmark = pytest.mark.anyio

_PATIENCE_SECONDS = 240
_UNDER_WAY = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@dataclass
class Ended:
    """A job that is over, and what it wrote."""

    state: str
    workspace: Path

    def text(self, pattern: str) -> str:
        """Of the one file whose name fits."""
        (path,) = self.workspace.glob(pattern)
        return path.read_text()


@dataclass
class Desk:
    """Where jobs are handed in."""

    instance: Instance
    client: SlurmClient

    async def run(self, **spec: Any) -> Ended:  # noqa: ANN401 - fields of JobSpec
        """Submit and wait for the end."""
        job_id = uuid4()
        workspace = self.instance.workspace / str(job_id)
        workspace.mkdir()
        workspace.chmod(0o777)
        made = JobSpec.model_validate({"name": "launch", "partition": "gpu", **spec})
        if made.script:
            (workspace / "job.sh").write_text(made.script)
            (workspace / "job.sh").chmod(0o755)
        submission = Submission(
            job_id, made, USER, "uni", ACCOUNT, str(workspace), submitted_at=datetime.now(UTC)
        )
        number = (await self.client.submit(job_request(submission), user=USER)).job_id
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                ask = ("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={number}")
                states = set((await asyncio.to_thread(self.instance.run, *ask)).split())
                if states and not states & _UNDER_WAY:
                    return Ended(",".join(states), workspace)
                await asyncio.sleep(0.3)


@pytest.fixture
async def desk(slurm: Instance, folder: Path) -> AsyncIterator[Desk]:
    client = slurm_client(slurm, folder)
    await client.start()
    yield Desk(slurm, client)
    await client.close()


TWO_NODES = {"nodes": 2, "ntasks": 4, "cpus_per_task": 2, "memory_mib_per_node": 100, "walltime_seconds": 300}


async def test_a_job_on_several_nodes_starts_on_each_and_its_ranks_can_meet(desk: Desk) -> None:
    show = "echo $HPC_NODE_RANK/$HPC_NNODES $SLURMD_NODENAME of $HPC_NODELIST at $MASTER_ADDR:$MASTER_PORT"
    done = await desk.run(argv=("sh", "-c", show), resources=TWO_NODES)
    first, second = done.text("*.out").strip(), done.text("*.out.rank1").strip()
    assert first.startswith("0/2 gpu01 of gpu01,gpu02 at gpu01:")
    assert second == first.replace("0/2 gpu01", "1/2 gpu02")
    assert done.state == "COMPLETED"


async def test_a_job_on_two_nodes_has_its_gpus_on_each(desk: Desk) -> None:
    show = "echo $HPC_NODE_RANK: $HPC_GPUS_ON_NODE $CUDA_VISIBLE_DEVICES"
    done = await desk.run(argv=("sh", "-c", show), resources={**TWO_NODES, "gpus_per_node": {"h100": 3}})
    assert done.state == "COMPLETED"
    assert re.fullmatch(r"0: 3 \d,\d,\d", done.text("*.out").strip())
    assert re.fullmatch(r"1: 3 \d,\d,\d", done.text("*.out.rank1").strip())


async def test_a_rank_that_fails_ends_the_job_with_its_code(desk: Desk) -> None:
    fail_second = "test $HPC_NODE_RANK = 0 && exec sleep 300; exit 3"
    done = await desk.run(argv=("sh", "-c", fail_second), resources=TWO_NODES)
    assert done.state == "FAILED"


async def test_a_script_for_sbatch_starts_its_own_steps(desk: Desk) -> None:
    script = "#!/bin/bash\necho batch $SLURMD_NODENAME\nsrun sh -c 'echo step $SLURM_PROCID'\n"
    done = await desk.run(script=script, resources=TWO_NODES, launch="first_node")
    lines = done.text("*.out").splitlines()
    assert lines[0] == "batch gpu01"
    assert sorted(lines[1:]) == [f"step {rank}" for rank in range(4)]


async def test_the_warning_reaches_the_program_before_its_time_is_up(desk: Desk) -> None:
    """slurmctld looks every 30 seconds and warns as much too early: 5 to 35 seconds after the start."""
    script = "#!/bin/bash\ntrap 'echo saved; exit 0' USR1\nwhile :; do sleep 0.2; done\n"
    asked = {"memory_mib_per_node": 100, "walltime_seconds": 60}
    done = await desk.run(script=script, resources=asked, warning_signal={"seconds_before_end": 25})
    assert done.text("*.out").splitlines()[0] == "saved"  # slurmstepd may add that the process is gone
    assert done.state == "COMPLETED"


async def test_output_goes_where_the_portal_will_look_for_it(desk: Desk) -> None:
    done = await desk.run(
        script="#!/bin/bash\necho out\necho err >&2\n",
        array={"expression": "3,11"},
        stdout_path="%x/%u_%3a.log",
        stderr_path="err.%b",
        resources={"memory_mib_per_node": 100, "walltime_seconds": 60},
    )
    assert [done.text(f"launch/{USER}_{task}.log") for task in ("003", "011")] == ["out\n"] * 2
    assert [done.text(f"err.{digit}") for digit in (3, 1)] == ["err\n"] * 2


async def test_a_program_finds_a_home_and_no_word_of_ours_in_its_log(desk: Desk) -> None:
    script = '#!/bin/bash\necho "$HOME $USER $SLURM_CPUS_PER_TASK"\nkill -SEGV $$\n'
    asked = {"cpus_per_task": 3, "memory_mib_per_node": 100, "walltime_seconds": 60}
    done = await desk.run(script=script, resources=asked)
    assert done.text("*.out") == f"/home/{USER} {USER} 3\n"
    assert done.state == "FAILED"
