#!/bin/bash
# Work that may be stopped at any time: it saves, ends with 75 ("run me again"), and goes on where it was.
#
# The script template takes it, with 75 among "Run again on exit codes":
#   hpc submit -t script -p script="$(< examples/scripts/resume.sh)" -p requeue_exit_codes=75
set -eu

stopped=no
trap 'stopped=yes' TERM USR1 # the signal only sets a flag; bash runs this between two commands

next=1
[[ -e progress ]] && next=$(< progress)
echo "starting at step $next"

for ((step = next; step <= ${STEPS:-200}; step++)); do
    if [[ $stopped == yes ]]; then
        echo "$step" > progress.new
        mv progress.new progress # whole or not at all
        echo "saved before step $step"
        exit 75
    fi
    cksum "$0" > checksum # a little real work
done
echo "all steps done"
