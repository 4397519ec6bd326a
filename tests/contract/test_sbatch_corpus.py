"""Each script of the corpus asks a real Slurm for the same through sbatch itself and through us.

Both submit it held, as the same user, and `scontrol show job` tells what slurmctld understood. What may
differ is listed in `NORMALISED`, with the reason; every other field of `COMPARED` must be equal.
"""

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from schedulers.directives.script import translate_script
from schedulers.jobspec import DependencyKind
from schedulers.protocol import SchedulerDependency, Submission
from schedulers.slurm.translate import REQUEST_KEY, job_request
from scripts.slurm_cluster.instance import Instance
from tests.contract.slurm_bench import slurm_client
from tests.slurm import cancel_all_jobs, settle

CORPUS = sorted((Path(__file__).parent / "sbatch_corpus").glob("*.sh"))
USER, ACCOUNT = "alice", "lab"
FIRST_JOB = UUID("01890000-0000-7000-8000-000000000001")
"""What the portal calls the job that some scripts wait for."""

COMPARED = (
    *("JobName", "UserId", "GroupId", "Nice", "Account", "QOS", "Dependency", "Requeue", "TimeLimit"),
    *(
        "EligibleTime",
        "Partition",
        "ReqNodeList",
        "ExcNodeList",
        "NumNodes",
        "NumCPUs",
        "NumTasks",
        "ReqTRES",
    ),
    *("NtasksPerN:B:S:C", "CoreSpec", "MinTmpDiskNode", "Features", "Reservation", "OverSubscribe"),
    *("Contiguous", "Licenses", "Comment", "WorkDir", "StdOut", "StdErr", "StdIn"),
    *("ArrayTaskId", "ArrayTaskThrottle"),
)
"""Left out: what a job is called and when it came (JobId, SubmitTime, Command), and the ways to say CPUs,
memory and GPUs (CPUs/Task, MinCPUsNode, MinMemory*, Tres*, CpusPerTres, MemPerTres): they become one way,
per task and per node. What they come to is in NumCPUs and ReqTRES."""


def first_number(text: str) -> str:
    """sbatch leaves the most nodes open where nobody named a number; what has a price has one number."""
    return text.partition("-")[0]


def license_counts(text: str) -> str:
    """`vcs=2,primetime` and `vcs:2,primetime:1` say the same."""
    parts = (item.replace("=", ":").partition(":") for item in text.split(","))
    return ",".join(sorted(f"{name}:{count or 1}" for name, _, count in parts))


def users_comment(text: str) -> str:
    """Ours carries the request key first."""
    return re.sub(rf"^{REQUEST_KEY}\S+ ?", "", text)


NORMALISED: Mapping[str, Callable[[str], str]] = {
    "NumNodes": first_number,
    "Licenses": license_counts,
    "Comment": users_comment,
}


@dataclass(frozen=True)
class Submitted:
    """One script, in Slurm twice."""

    by_sbatch: Mapping[str, str]
    by_us: Mapping[str, str]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
async def corpus(slurm_cluster: Instance, folder: Path) -> AsyncIterator[Mapping[str, Submitted]]:
    """Every script, submitted both ways."""
    settle(slurm_cluster)
    slurm_cluster.run(
        *("scontrol", "create", "reservation", "ReservationName=tapeout", f"Users={USER}", "Nodes=eda02"),
        *("StartTime=now", "Duration=60", "Flags=OVERLAP,IGNORE_JOBS"),
    )
    home = slurm_cluster.workspace / "corpus"
    waited_for = _sbatch(slurm_cluster, home, "waited-for.sh", "#!/bin/sh\n#SBATCH -t 5 --mem=100\n")
    sbatch_ids = {
        path.name: _sbatch(slurm_cluster, home, path.name, path.read_text().replace("@JOB@", waited_for))
        for path in CORPUS
    }
    our_ids = await _through_us(slurm_cluster, folder, home, waited_for)
    shown = _show_jobs(slurm_cluster)
    yield {
        name: Submitted(
            _normalised(shown[sbatch_ids[name]], job=sbatch_ids[name], folder=home / "sbatch" / name),
            _normalised(shown[our_ids[name][0]], job=str(our_ids[name][1]), folder=home / "portal" / name),
        )
        for name in sbatch_ids
    }
    cancel_all_jobs(slurm_cluster)
    slurm_cluster.run("scontrol", "delete", "ReservationName=tapeout")


def _sbatch(instance: Instance, home: Path, name: str, text: str) -> str:
    """Submit with Slurm's own program, in a folder of its own; the job's number."""
    folder = _open_folder(home / "sbatch" / name)
    (folder / name).write_text(text)
    printed = instance.run("sbatch", "--parsable", "--hold", "-A", ACCOUNT, name, user=USER, cwd=folder)
    return printed.split()[-1]


async def _through_us(
    instance: Instance, folder: Path, home: Path, waited_for: str
) -> dict[str, tuple[str, UUID]]:
    """Translate and submit over REST; Slurm's number and our own id, by script."""
    client = slurm_client(instance, folder)
    await client.start()
    found = {}
    for path in CORPUS:
        job_id = uuid4()
        submission = _submission(path, job_id, _open_folder(home / "portal" / path.name), waited_for)
        answer = await client.submit(job_request(submission), user=USER)
        found[path.name] = (str(answer.job_id), job_id)
    await client.close()
    return found


def _submission(path: Path, job_id: UUID, workspace: Path, waited_for: str) -> Submission:
    translation = translate_script(
        path.read_text().replace("@JOB@", str(FIRST_JOB)),
        name=path.name,
        now=datetime.now(UTC),  # the cluster's own zone
        options=[f"--account={ACCOUNT}"],
    )
    assert translation.spec is not None, "\n".join(map(str, translation.problems))
    kinds = [DependencyKind(item.kind) for item in translation.spec.dependencies]
    return Submission(
        job_id=job_id,
        spec=translation.spec,
        cluster_user=USER,
        organisation="uni",
        project=ACCOUNT,
        workspace=str(workspace),
        submitted_at=datetime.now(UTC),
        dependencies=tuple(SchedulerDependency(kind, waited_for) for kind in kinds),
        is_held=True,
    )


def _open_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    for folder in (path, *path.parents[:2]):
        folder.chmod(0o777)
    return path


def _show_jobs(instance: Instance) -> dict[str, dict[str, str]]:
    """What `scontrol show job` prints of every job, by its number."""
    blocks = instance.run("scontrol", "show", "job").split("\n\n")
    jobs = [_fields(block) for block in blocks if block.strip()]
    return {job["JobId"]: job for job in jobs}


def _fields(block: str) -> dict[str, str]:
    """`Name=value` pairs; a value may hold spaces, a name starts with a capital letter."""
    lines = (line.strip() for line in block.splitlines())
    pairs = (pair for line in lines for pair in re.split(r" (?=[A-Z][\w:/]*=)", line) if "=" in pair)
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _normalised(shown: Mapping[str, str], *, job: str, folder: Path) -> dict[str, str]:
    """The compared fields; in file names the job's own number and folder are told by name."""
    found = {name: NORMALISED.get(name, str)(shown.get(name, "").strip()) for name in COMPARED}
    for name in ("WorkDir", "StdOut", "StdErr"):
        found[name] = re.sub(rf"(?<!\d){job}(?!\d)", "JOB", found[name].replace(str(folder), "FOLDER"))
    return found


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text[:1].isdecimal() else None


@pytest.mark.anyio
@pytest.mark.parametrize("name", [path.name for path in CORPUS])
async def test_a_script_asks_for_the_same_through_the_portal_as_through_sbatch(
    corpus: Mapping[str, Submitted], name: str
) -> None:
    ours, theirs = dict(corpus[name].by_us), dict(corpus[name].by_sbatch)
    at, wanted_at = _instant(ours.pop("EligibleTime")), _instant(theirs.pop("EligibleTime"))
    assert ours == theirs
    if at is None or wanted_at is None:
        assert at is wanted_at
    else:  # "now+3hours" counts from two instants, some seconds apart
        assert abs(at - wanted_at) < timedelta(minutes=15)


@pytest.mark.anyio
async def test_every_compared_field_is_told_of_some_script(corpus: Mapping[str, Submitted]) -> None:
    told = {name for found in corpus.values() for name, value in found.by_sbatch.items() if value}
    assert told == set(COMPARED)


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(CORPUS) >= 40
