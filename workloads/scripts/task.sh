#!/bin/bash
# What every chip-design task starts with: the same text for all parameters, which come as files and variables.
#
# Exit codes: 0 passed, 1 failed, 2 the input could not be built, 3 ended without saying either, 127 a tool is missing.
set -u -o pipefail
export LC_ALL=C

index=${HPC_ARRAY_TASK_ID:-${SLURM_ARRAY_TASK_ID:-0}}
result=results/$index
mkdir -p logs results
rm -f -- "$result"
: > "$result.new"

# note NAME VALUE: one fact for the portal, on one line.
note() { printf '%s=%.2000s\n' "$1" "${2//[$'\r\n']/ }" >> "$result.new"; }

# note_line FILE NUMBERED_LINE: the line that shows why the task failed, as `grep -n` prints it.
note_line() {
    note fail_file "$1"
    note fail_line_number "${2%%:*}"
    note fail_line "${2#*:}"
}

# finish CODE: the facts become visible all at once, then the task ends.
finish() {
    note exit_code "$1"
    mv -f -- "$result.new" "$result"
    exit "$1"
}

# need PROGRAM=PACKAGE...: a node without a tool says so before anything is computed.
need() {
    local entry program
    for entry in "$@"; do
        program=${entry%%=*}
        command -v "$program" > /dev/null && continue
        echo "tool missing: $program (on $HOSTNAME); it comes with the Debian package ${entry#*=}" >&2
        note missing_tool "$program"
        finish 127
    done
}
