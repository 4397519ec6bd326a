"""How a training program starts: alone, or by torchrun as several processes on one node or many."""

from schedulers.jobspec import WarningSignal

EXIT_RUN_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: saved, run me again."""
_LONGEST_WARNING_SECONDS = 60

_SCRIPT = """#!/bin/bash
if [ "$TRAINING_PROCESSES" = 1 ] && [ "${HPC_NNODES:-1}" = 1 ]; then
    # exec, so that the signals that ask for a checkpoint reach Python and not this shell.
    exec python -u %(program)s
fi

if [ "${HPC_NNODES:-1}" = 1 ]; then
    rendezvous=(--standalone)
else
    rendezvous=(--nnodes "$HPC_NNODES" --node-rank "$HPC_NODE_RANK"
        --master-addr "$MASTER_ADDR" --master-port "$MASTER_PORT")
fi
metrics_size() { stat -c %%s metrics.jsonl 2> /dev/null || echo 0; }
last_event() { tail -n 1 metrics.jsonl 2> /dev/null | grep -q -E "\\"event\\": \\"($1)\\""; }

before=$(metrics_size)
asked=
trap 'asked=TERM; kill -s TERM "$launcher" 2> /dev/null' TERM
trap 'asked=USR1; kill -s USR1 "$launcher" 2> /dev/null' USR1
python -u -m torch.distributed.run "${rendezvous[@]}" --nproc-per-node "$TRAINING_PROCESSES" \\
    --signals-to-handle SIGTERM,SIGINT,SIGUSR1 --shutdown-timeout 30 %(program)s &
launcher=$!
[ -z "$asked" ] || kill -s "$asked" "$launcher"
while :; do # a signal ends `wait`, not the launcher
    wait "$launcher"
    kill -0 "$launcher" 2> /dev/null || break
done
wait "$launcher"
code=$?

# After a signal the launcher ends with 1, whatever its processes did: what they wrote down decides.
[ "$code" != -1 ] || code=1 # bash lost it, for the launcher ended just as the signal came
# SIGTERM on one of many nodes may only mean that another node's processes failed: that is not run again.
[ "${HPC_NNODES:-1}" = 1 ] || [ "$asked" != TERM ] || asked=
if [ "$code" != 0 ] && ! last_event 'done|diverged'; then
    [ -z "$asked" ] || exit 75
    [ "$(metrics_size)" -le "$before" ] || ! last_event preempted || exit 75
fi
exit "$code"
"""


def launch_script(program: str) -> str:
    """A script for `program`, a fixed text: the file and its arguments, as bash words.

    The program writes metrics.jsonl and ends with 75 when it was told to stop and has saved. On each of many
    nodes the script starts by itself; they meet at the first one (HPC_NODE_RANK, MASTER_ADDR, MASTER_PORT).
    """
    return _SCRIPT % {"program": program}


def launch_variables(processes_on_a_node: int) -> dict[str, str]:
    """What the script reads."""
    return {"TRAINING_PROCESSES": str(processes_on_a_node)}


def warning_signal(walltime_seconds: int) -> WarningSignal | None:
    """A minute before the end, or a quarter of a short walltime; None where there is no room for it."""
    seconds = min(_LONGEST_WARNING_SECONDS, walltime_seconds // 4)
    return WarningSignal(name="SIGUSR1", seconds_before_end=seconds) if seconds else None
