"""The wrapper is run by a real bash, with Slurm's variables as slurmd sets them and a scontrol that notes."""

import os
import signal
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from schedulers.jobspec import JobSpec
from schedulers.protocol import Submission
from schedulers.slurm.translate import environment_of
from schedulers.slurm.wrapper import wrapper_script

JOB_ID = UUID("01890000-0000-7000-8000-000000000001")
SCONTROL = """#!/bin/sh
if [ "$1" = show ]; then printf 'n1\\nn2\\n'; else echo "$@" >>"$NOTES"; exit "${REFUSES:-0}"; fi
"""
SRUN = """#!/bin/sh
echo "$@" >>"$NOTES"
while [ "${1#--}" != "$1" ]; do shift; done
for rank in 0 1; do SLURM_NODEID=$rank SLURM_GPUS_ON_NODE=2 "$@" || code=143; done
exit "${code:-0}"
"""
"""Ranks one after the other; it ends as if it had ended one of them, where any failed."""
IS_HEARD = "until grep -q 'SigCgt:.*[89a-f]..$' /proc/$PPID/status; do :; done; "
"""Begins a program that signals the script: it goes on once that catches SIGUSR2, the last one it traps."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """With a name that a shell would break, and programs of Slurm's beside it."""
    made = tmp_path / "it's $HOME's %a job"
    made.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"scontrol": SCONTROL, "srun": SRUN, "sleep": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return made


def submission(workspace: Path, **spec: Any) -> Submission:  # noqa: ANN401 - fields of JobSpec
    return Submission(
        job_id=JOB_ID,
        spec=JobSpec.model_validate({"name": "sim", **spec}),
        cluster_user="an",
        organisation="uni",
        project="vlsi",
        workspace=str(workspace),
        submitted_at=datetime(2026, 11, 26, tzinfo=UTC),
    )


def run(
    job: Submission, *, runtime_paths: Sequence[str] = (), **slurm: str
) -> subprocess.CompletedProcess[str]:
    """As slurmstepd would: the job's environment and Slurm's, nothing of ours."""
    workspace = Path(job.workspace)
    environment = dict(text.split("=", 1) for text in environment_of(job))
    environment |= {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1", "SLURM_CPUS_ON_NODE": "4", **slurm}
    environment["NOTES"] = str(workspace.parent / "notes")
    script = wrapper_script(job, runtime_paths=runtime_paths)
    script = script.replace(". /etc/profile", f"PATH='{workspace.parent}/bin':$PATH; true")
    return subprocess.run(
        ["/bin/bash", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=workspace,
        env=environment,
        timeout=60,
    )


def notes(workspace: Path) -> str:
    path = workspace.parent / "notes"
    return path.read_text() if path.exists() else ""


def test_the_program_finds_the_portals_variables_and_its_own(workspace: Path) -> None:
    show = (
        "echo $HPC_JOB_ID $HPC_NODELIST $HPC_CPUS $HPC_GPU_INDICES $HPC_RESTART_COUNT $A; echo ${HOME:+home}"
    )
    job = submission(workspace, argv=("sh", "-c", show), environment={"A": 'it\'s "$B" %a'})
    done = run(job, SLURM_JOB_GPUS="0,3", SLURM_RESTART_COUNT="2")
    assert done.stdout == f'{JOB_ID} n1 4 0,3 2 it\'s "$B" %a\nhome\n'


def test_a_script_runs_from_the_workspace_as_it_was_written(workspace: Path) -> None:
    (workspace / "job.sh").write_text('#!/bin/sh\n#SBATCH -n 4\nprintf "%s" "$0"\nexit 3\n')
    (workspace / "job.sh").chmod(0o755)
    done = run(submission(workspace, script="#!/bin/sh\n"))
    assert (done.stdout, done.returncode) == (f"{workspace}/job.sh", 3)


@pytest.mark.parametrize(("own", "said"), [({}, "tool\n"), ({"PATH": "/nowhere"}, "/nowhere\n")])
def test_runtime_paths_go_before_the_sites_path_and_after_the_jobs_own(
    workspace: Path, own: dict[str, str], said: str
) -> None:
    tools = workspace / "tools"
    (tools / "bin").mkdir(parents=True)
    (tools / "bin/sleep").write_text("#!/bin/sh\necho tool\n")
    (tools / "bin/sleep").chmod(0o755)
    program = "sleep" if not own else "echo $PATH"
    job = submission(workspace, argv=("/bin/sh", "-c", program), environment=own)
    assert run(job, runtime_paths=("/missing", str(tools))).stdout == said


def test_arguments_reach_the_program_unharmed(workspace: Path) -> None:
    odd = ("a b", "$HOME", "`id`", "it's", '"', "\\", "*", "")
    done = run(submission(workspace, argv=("printf", "<%s>", *odd)))
    assert done.stdout == "".join(f"<{word}>" for word in odd)


@pytest.mark.parametrize("requeue", [{"on_node_fail": False}, {}, {"on_exit_codes": (75,)}])
def test_a_program_ends_as_it_did_also_by_a_signal(workspace: Path, requeue: dict[str, object]) -> None:
    job = submission(workspace, argv=("sh", "-c", "kill -TERM $$"), requeue=requeue)
    done = run(job)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")


@pytest.mark.parametrize("code", [128, 147, 255])
@pytest.mark.parametrize("requeue", [{"on_node_fail": False}, {}])
def test_an_exit_code_that_no_signal_leaves_stays_what_it_is(
    workspace: Path, code: int, requeue: dict[str, object]
) -> None:
    """147 is 128 and SIGSTOP, which would stop the script for as long as the job may run."""
    done = run(submission(workspace, argv=("sh", "-c", f"exit {code}"), requeue=requeue))
    assert (done.returncode, done.stderr) == (code, "")


def test_nobody_is_told_in_the_log_that_a_program_was_killed(workspace: Path) -> None:
    job = submission(workspace, argv=("sh", "-c", "kill -s SEGV $$"))
    assert {(run(job).returncode, run(job).stderr) for _ in range(5)} == {(-signal.SIGSEGV, "")}


def test_a_signal_to_the_program_and_the_script_at_once_is_how_both_end(workspace: Path) -> None:
    """As scancel sends it. Bash forgets the program's end now and then, when a trap runs at that moment."""
    job = submission(workspace, argv=("sh", "-c", f"{IS_HEARD} kill -TERM $PPID $$; /bin/sleep 60"))
    assert {run(job).returncode for _ in range(20)} == {-signal.SIGTERM}


def test_an_exit_code_for_saved_work_asks_slurm_for_another_run(workspace: Path) -> None:
    job = submission(workspace, argv=("sh", "-c", "exit 75"), requeue={"on_exit_codes": (3, 75)})
    assert run(job, SLURM_RESTART_COUNT="2").returncode == 75
    assert notes(workspace) == "requeue 7\n"


def test_a_task_of_an_array_is_requeued_alone(workspace: Path) -> None:
    spec: dict[str, Any] = {"requeue": {"on_exit_codes": (75,)}, "array": {"expression": "0-9"}}
    job = submission(workspace, argv=("sh", "-c", "exit 75"), **spec)
    run(job, SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="3")
    assert notes(workspace) == "requeue 5_3\n"


@pytest.mark.parametrize(("code", "restarts"), [(74, "0"), (75, "3"), (0, "0")])
def test_any_other_end_is_final(workspace: Path, code: int, restarts: str) -> None:
    job = submission(workspace, argv=("sh", "-c", f"exit {code}"), requeue={"on_exit_codes": (75,)})
    assert run(job, SLURM_RESTART_COUNT=restarts).returncode == code
    assert not notes(workspace)


def test_a_signal_to_the_batch_process_reaches_the_program(workspace: Path) -> None:
    program = f"trap 'exit 75' USR1; {IS_HEARD} kill -USR1 $PPID; while :; do :; done"
    job = submission(workspace, argv=("bash", "-c", program), requeue={"on_exit_codes": (75,)})
    done = run(job)
    assert (done.returncode, done.stderr) == (75, "")
    assert notes(workspace) == "requeue 7\n"


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_before_the_program_is_there_ends_the_script(
    workspace: Path, signal_number: signal.Signals
) -> None:
    """A job cancelled as it starts would otherwise run on until Slurm kills it, KillWait later."""
    comes = workspace.parent / "comes.sh"
    comes.write_text(f"""trap '[ "$BASH_COMMAND" != "set -m" ] || kill -{signal_number:d} $$' DEBUG""")
    job = submission(workspace, argv=("/bin/sleep", "5"))
    done = run(job, BASH_ENV=str(comes))
    assert (done.returncode, done.stderr) == (-signal_number, "")


def test_a_program_that_never_runs_again_takes_the_batch_processs_place(workspace: Path) -> None:
    job = submission(workspace, argv=("sh", "-c", "echo $PPID"), requeue={"on_node_fail": False})
    assert run(job).stdout.strip() == str(os.getpid())


def test_on_several_nodes_each_rank_knows_its_place_and_prints_beside_the_first(workspace: Path) -> None:
    show = "echo $HPC_NODE_RANK $HPC_NNODES $HPC_NODELIST $MASTER_ADDR $MASTER_PORT $HPC_GPUS_ON_NODE"
    job = submission(workspace, argv=("sh", "-c", show), resources={"nodes": 2, "ntasks": 2})
    done = run(job, SLURM_JOB_NODELIST="n[1-2]", SLURM_JOB_NUM_NODES="2")
    rank, nodes, names, address, port, gpus = done.stdout.split()
    assert (rank, nodes, names, address, gpus) == ("0", "2", "n1,n2", "n1", "2")
    assert 20_000 <= int(port) < 32_000
    other = (workspace / f"slurm-{JOB_ID}.out.rank1").read_text().split()
    assert other == ["1", "2", "n1,n2", "n1", port, "2"]
    assert "--nodes=2 --ntasks=2" in notes(workspace)


_TWO_NODES: dict[str, Any] = {"resources": {"nodes": 2, "ntasks": 2}}


@pytest.mark.parametrize("requeue", [{"on_node_fail": False}, {}])
@pytest.mark.parametrize(
    ("end", "returncode"), [("exit 7", 7), ("kill -s SEGV $$", -signal.SIGSEGV), ("exit 0", 0)]
)
def test_a_job_on_several_nodes_ends_as_the_rank_that_failed_first(
    workspace: Path, requeue: dict[str, object], end: str, returncode: int
) -> None:
    program = f"test $HPC_NODE_RANK = 0 || exit {9 if returncode else 0}; {end}"
    done = run(submission(workspace, argv=("sh", "-c", program), requeue=requeue, **_TWO_NODES))
    assert done.returncode == returncode
    assert not list(workspace.glob(".first-end*"))


def test_a_rank_that_failed_in_another_run_says_nothing_about_this_one(workspace: Path) -> None:
    (workspace / ".first-end-7-0").write_text("9\n")
    job = submission(workspace, argv=("sh", "-c", "exit 3"), **_TWO_NODES)
    assert run(job, SLURM_RESTART_COUNT="1").returncode == 3


def test_where_no_rank_can_note_its_end_the_job_ends_as_srun_did(workspace: Path) -> None:
    (workspace / ".first-end-7-0").mkdir()
    done = run(submission(workspace, argv=("sh", "-c", "exit 3"), **_TWO_NODES))
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")


def test_a_signal_to_a_rank_reaches_its_program(workspace: Path) -> None:
    program = f"trap 'exit 5' USR1; {IS_HEARD} kill -USR1 $PPID; while :; do :; done"
    done = run(submission(workspace, argv=("bash", "-c", program), **_TWO_NODES))
    assert (done.returncode, done.stderr) == (5, "")


def test_a_script_for_sbatch_starts_on_the_first_node_only(workspace: Path) -> None:
    spec = {"resources": {"nodes": 2, "ntasks": 2}, "launch": "first_node"}
    done = run(submission(workspace, argv=("sh", "-c", "echo $HPC_NODE_RANK $HPC_NODELIST"), **spec))
    assert done.stdout == "0 n1,n2\n"
    assert not notes(workspace)


def test_files_in_folders_with_patterns_are_opened_by_the_wrapper(workspace: Path) -> None:
    spec: dict[str, Any] = {
        "stdout_path": "%x/%3a/o%b.%%",
        "stderr_path": "e%a",
        "array": {"expression": "0-99"},
    }
    job = submission(workspace, argv=("sh", "-c", "echo out; echo err >&2"), **spec)
    done = run(job, SLURM_ARRAY_TASK_ID="17")
    assert (workspace / "sim/017/o7.%").read_text() == "out\n"
    assert (done.stdout, done.stderr) == ("", "err\n"), "Slurm opens the other one"


def test_what_a_run_uses_is_noted_under_its_task_and_attempt(workspace: Path) -> None:
    wait = "until test -s .hpc/samples-17-2.jsonl; do command -p sleep 0.1; done"
    job = submission(workspace, argv=("sh", "-c", wait), array={"expression": "0-99"})
    done = run(job, SLURMD_NODENAME="n1", SLURM_ARRAY_TASK_ID="17", SLURM_RESTART_COUNT="2")
    assert done.returncode == 0


def test_a_site_may_have_nothing_noted(workspace: Path) -> None:
    text = wrapper_script(submission(workspace, argv=("true",)), takes_samples=False)
    assert "sample" not in text


def test_no_variable_of_the_portal_is_in_the_script(workspace: Path) -> None:
    text = wrapper_script(submission(workspace, argv=("true",)))
    assert not [name for name in os.environ if name.startswith("HPC_PORTAL") and name in text]
