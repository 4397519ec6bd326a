"""Writes the batch script that Slurm runs: the portal's variables, then the job's own program. Pure.

The program sees the same HPC_* variables as on a Dask node: those of schedulers/job_variables.py, and those
of its run, taken from Slurm's.
"""

import shlex
from collections.abc import Sequence

from schedulers.job_variables import SCRIPT_NAME
from schedulers.jobspec import JobSpec, Launch, RequeuePolicy
from schedulers.protocol import Submission
from schedulers.slurm.output_files import is_opened_by_slurm, shell_path
from schedulers.slurm.sampler import sampler

_LOGIN = """
export USER="${USER:-$(id -un)}" LOGNAME="${LOGNAME:-$(id -un)}" SHELL="${SHELL:-/bin/bash}"
[ -n "${HOME:-}" ] || export HOME=~
[ -r /etc/profile ] && . /etc/profile >/dev/null 2>&1
"""
"""What sbatch copies from the shell it is called in: slurmrestd sets none of it."""
_EVERY_JOB = """
export HPC_RESTART_COUNT="${SLURM_RESTART_COUNT:-0}"
export HPC_NODE_RANK=0
export HPC_NNODES="${SLURM_JOB_NUM_NODES:-1}"
export HPC_GPUS_ON_NODE="${SLURM_GPUS_ON_NODE:-0}"
export HPC_GPU_INDICES="${SLURM_JOB_GPUS:-}"
export HPC_CPUS="${SLURM_CPUS_ON_NODE:-1}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$HPC_CPUS}"
export CUDA_DEVICE_ORDER=PCI_BUS_ID
"""
_ONE_NODE = """
export HPC_NODELIST="$SLURM_JOB_NODELIST"
"""
_SEVERAL_NODES = """
export HPC_NODELIST="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | paste -sd, -)"
export MASTER_ADDR="${HPC_NODELIST%%,*}"
hpc_hash="$(printf %s "$HPC_JOB_ID/${SLURM_ARRAY_TASK_ID:-0}/$HPC_RESTART_COUNT" | cksum)"
export MASTER_PORT="$((20000 + ${hpc_hash%% *} % 12000))"
"""
_ARRAY = """
export HPC_ARRAY_TASK_ID="$SLURM_ARRAY_TASK_ID" LSB_JOBINDEX="$SLURM_ARRAY_TASK_ID"
"""

_WATCHED = """
{{  # in silence: bash would tell the job's log that a program was killed
    set -m  # the program keeps SIGINT and a process group of its own
    {program} 2>&3 3>&- &
    set +m
    hpc_child=$!
    # Before this a signal ends the script: handed on too early it would be lost, and the program go on.
    # Without CONT: Slurm sends it first, and bash may lose the next.
    for hpc_signal in HUP INT TERM USR1 USR2; do
        trap "kill -s $hpc_signal $hpc_child" "$hpc_signal"
    done
    wait "$hpc_child"
    hpc_code=$?  # or that of the trap which interrupted it
    while kill -0 "$hpc_child"; do wait "$hpc_child"; hpc_code=$?; done
    wait "$hpc_child"
    hpc_last=$?
    [ "$hpc_last" = -1 ] || hpc_code=$hpc_last  # -1: it died just as a signal came, and bash lost its code
}} 3>&2 2>/dev/null
trap - HUP INT TERM USR1 USR2
"""
"""Runs the program, hands signals on to it, and learns its exit code: 128 and the signal that ended it."""

_ENDS_ALIKE = """
ulimit -c 0  # the core is the program's
case "$hpc_code" in
    14[789]|150) ;;  # STOP, TSTP, TTIN, TTOU end no program: it chose this code
    *) [ "$hpc_code" -le 128 ] || kill -s "$((hpc_code - 128))" "$$" 2>/dev/null ;;
esac
exit "$hpc_code"
"""

_RANK_BEGINS = """
export HPC_NODE_RANK="$SLURM_NODEID" HPC_GPUS_ON_NODE="${SLURM_GPUS_ON_NODE:-0}"
export HPC_CPUS="${SLURM_CPUS_ON_NODE:-1}"
hpc_stdout="$1" hpc_stderr="$2" hpc_first_end="$3"
shift 3
if [ "$HPC_NODE_RANK" -gt 0 ]; then
    exec >>"$hpc_stdout.rank$HPC_NODE_RANK"
    if [ "$hpc_stdout" = "$hpc_stderr" ]
    then exec 2>&1
    else exec 2>>"$hpc_stderr.rank$HPC_NODE_RANK"
    fi
fi
"""
_NOTES_FIRST_END = """
[ "$hpc_code" = 0 ] || (set -o noclobber; echo "$hpc_code" >"$hpc_first_end") 2>/dev/null
"""
_WARNED_RANK = ('exec "$@"',)
"""Of a job that is warned or runs again: bash may lose a code that comes with a signal."""
_RANK = (_WATCHED.format(program='"$@"'), _NOTES_FIRST_END, _ENDS_ALIKE)
"""One process on each node; rank 0 prints where the job does, the others beside it.

The first that fails writes down its end before srun hears of it, and ends the others.
"""
_ENDS_AS_FIRST_RANK = """
if [ "$hpc_code" != 0 ] && { read -r hpc_noted <"$hpc_first_end"; } 2>/dev/null; then
    hpc_code=$hpc_noted
    rm -f "$hpc_first_end"
fi
"""
"""Otherwise the job would end by SIGTERM, as the ranks that srun ended.

The file is never looked for before: its node's NFS client would remember for a while that there is none.
"""

REQUEUE_SIGNAL = "URG"
"""Makes the script put itself back: before API v0.0.45 slurmrestd has no other way. Others ignore it."""

_HEARS_REQUEUE = f"""
hpc_self="${{SLURM_ARRAY_JOB_ID:+${{SLURM_ARRAY_JOB_ID}}_}}${{SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}}"
trap 'scontrol requeue "$hpc_self"' {REQUEUE_SIGNAL}
"""
_REQUEUES = """
case "$hpc_code" in
    {codes})
        if [ "$HPC_RESTART_COUNT" -lt {most} ]; then
            trap '' TERM  # slurmctld ends us with it; our exit code tells slurmdbd why
            scontrol requeue "$hpc_self" && exit "$hpc_code"
            trap - TERM
        fi ;;
esac
"""
"""Asks for another run after one of the job's exit codes."""


def wrapper_script(
    submission: Submission, *, runtime_paths: Sequence[str] = (), takes_samples: bool = True
) -> str:
    """The whole batch script. The `bin` folders of `runtime_paths` come first in its PATH."""
    spec = submission.spec
    several = spec.resources.nodes > 1
    parts = [
        "#!/bin/bash\n# Written by the HPC portal. The job's own program is started at the end.\n",
        _HEARS_REQUEUE.lstrip() if may_requeue(spec) else "",
        _environment_again(submission, runtime_paths),
        _EVERY_JOB.lstrip(),
        (_SEVERAL_NODES if several else _ONE_NODE).lstrip(),
        _ARRAY.lstrip() if spec.array else "",
        _own_redirection(submission),
        sampler(_samples(submission)) if takes_samples else "",
        _program(submission, takes_samples=takes_samples),
    ]
    return "".join(parts)


def _samples(submission: Submission, suffix: str = "") -> str:
    """The file of this run on this node, as a word of the shell."""
    run = '"${SLURM_ARRAY_TASK_ID:-0}-$HPC_RESTART_COUNT' + suffix + '"'
    return f"{shlex.quote(f'{submission.workspace}/.hpc/samples-')}{run}.jsonl"


def _environment_again(submission: Submission, runtime_paths: Sequence[str]) -> str:
    """The site's profile, which sets PATH anew, what goes before it, and last the job's own variables."""
    folders = [shlex.quote(f"{path}/bin") for path in runtime_paths]
    lines = [f'export PATH={":".join(folders)}:"$PATH"\n'] if folders else []
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in submission.spec.environment.items()]
    return _LOGIN.lstrip() + "".join(lines)


def _own_redirection(submission: Submission) -> str:
    spec = submission.spec
    lines = []
    for redirection, pattern in ((">>", spec.stdout_pattern), ("2>>", spec.stderr_path)):
        if pattern is not None and not is_opened_by_slurm(submission, pattern):
            path = shell_path(submission, pattern)
            lines.append(f'mkdir -p "$(dirname {path})" && exec {redirection}{path}\n')
    if lines and spec.stderr_path is None:
        lines.append("exec 2>&1\n")
    return "".join(lines)


def _program(submission: Submission, *, takes_samples: bool) -> str:
    spec = submission.spec
    argv = shlex.join(spec.argv or (f"{submission.workspace}/{SCRIPT_NAME}",))
    on_every_node = spec.resources.nodes > 1 and spec.launch is Launch.EVERY_NODE
    if not on_every_node and not may_requeue(spec):
        return f"exec {argv}\n"
    program = _on_every_node(submission, argv, takes_samples=takes_samples) if on_every_node else argv
    parts = [
        _first_end(submission) if on_every_node else "",
        _WATCHED.format(program=program),
        _ENDS_AS_FIRST_RANK if on_every_node else "",
        _requeues(spec.requeue) if may_requeue(spec) else "",
        _ENDS_ALIKE,
    ]
    return "".join(part.lstrip() for part in parts)


def _requeues(policy: RequeuePolicy) -> str:
    codes = "|".join(map(str, policy.on_exit_codes)) or "none"
    return _REQUEUES.format(codes=codes, most=policy.max_requeues)


def may_requeue(spec: JobSpec) -> bool:
    """Whether Slurm may run the job again (sbatch --requeue)."""
    return spec.requeue.on_node_fail or bool(spec.requeue.on_exit_codes)


def _first_end(submission: Submission) -> str:
    """The file of this run, and of no other, where a rank notes how it failed."""
    path = shlex.quote(f"{submission.workspace}/.first-end")
    return f'hpc_first_end={path}-"$SLURM_JOB_ID-$HPC_RESTART_COUNT"\n'


def _on_every_node(submission: Submission, argv: str, *, takes_samples: bool) -> str:
    spec, asked = submission.spec, submission.spec.resources
    stdout = shell_path(submission, spec.stdout_pattern)
    stderr = shell_path(submission, spec.stderr_path) if spec.stderr_path else stdout
    launcher = (
        f"srun --nodes={asked.nodes} --ntasks={asked.nodes} --ntasks-per-node=1 "
        "--cpu-bind=none --kill-on-bad-exit=1 --mpi=none --export=ALL"
    )
    is_warned = spec.warning_signal or spec.requeue.on_exit_codes
    parts = (
        _RANK_BEGINS,
        _other_nodes_sampler(submission) if takes_samples else "",
        *(_WARNED_RANK if is_warned else _RANK),
    )
    rank = "".join(part.lstrip() for part in parts).strip()
    rank_argv = f'/bin/bash -c {shlex.quote(rank)} hpc-rank {stdout} {stderr} "$hpc_first_end" {argv}'
    return f"{launcher} {rank_argv}"


def _other_nodes_sampler(submission: Submission) -> str:
    """On the first node the batch script has started one."""
    return f'if [ "$HPC_NODE_RANK" -gt 0 ]; then\n{sampler(_samples(submission, ".rank$HPC_NODE_RANK"))}fi\n'
