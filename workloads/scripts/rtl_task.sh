#!/bin/bash
# One task of an RTL regression: index -> (test, seed); build once for all tasks; simulate; write down the facts.
#
# This file is the same for every job. What differs comes as numbers in RTL_* variables and as lines of files
# under regression/, never spliced into shell text.
#
# Exit codes: 0 passed, 1 failed, 2 the build failed, 3 ended without saying either, 127 the simulator is missing.
set -u -o pipefail
export LC_ALL=C

index=${HPC_ARRAY_TASK_ID:-${SLURM_ARRAY_TASK_ID:?this script runs as a task of an array}}
mapfile -t tests < regression/tests.txt
test=${tests[index / RTL_SEEDS]}
seed=$((RTL_FIRST_SEED + index % RTL_SEEDS))
log=logs/$test-$seed.log
result=regression/results/$index

mkdir -p build logs waves regression/results
rm -f -- "$result"

# The facts that a verdict is made of, one name=value a line, complete or absent.
# write_result STAGE EXIT_CODE NUMBERED_LINE
write_result() {
    local number=${3%%:*} line=${3#*:}
    {
        printf 'stage=%s\n' "$1"
        printf 'exit_code=%d\n' "$2"
        if [[ -n $3 ]]; then
            printf 'fail_line_number=%d\n' "$number"
            printf 'fail_line=%.2000s\n' "$line"
        fi
        printf 'pass_seen=%s\n' "${pass_seen:-no}"
        printf 'microseconds=%d\n' "${microseconds:-0}"
        printf 'statistics=%.2000s\n' "${statistics:-}"
        printf 'last_line=%.2000s\n' "${last_line:-}"
        printf 'tool=%s\n' "${tool:-}"
        printf 'build=%s\n' "${build:-}"
    } > "$result.new" && mv -f -- "$result.new" "$result"
}

# The first task builds and the others wait for it; a build that failed once is not tried again.
build_once() {
    [[ -s build/id ]] && return 0
    exec 9> build/lock
    flock 9
    if [[ ! -s build/id && ! -e build/failed ]]; then
        iverilog -g2012 -s "$RTL_TOP" -o build/simulation.new -c regression/compile.f > build/build.log 2>&1 < /dev/null
        local code=$?
        if ((code == 0)); then
            # A seed means nothing without the simulator and the build that it was drawn in.
            {
                iverilog -V 2> /dev/null | head -n 1
                {
                    echo "$RTL_TOP"
                    find design regression/compile.f -type f -print0 | sort -z | xargs -0 sha256sum
                } | sha256sum | cut -c 1-64
            } > build/id.new
            mv -f build/simulation.new build/simulation.vvp && mv -f build/id.new build/id
        elif ((code < 126)); then
            touch build/failed # killed or not found is no verdict on the sources
        fi
    fi
    exec 9>&-
    [[ -s build/id ]]
}

for program in iverilog vvp flock; do
    if ! command -v "$program" > /dev/null; then
        echo "regression: $program is missing on $(hostname); install the Debian packages iverilog and util-linux" >&2
        exit 127
    fi
done

if ! build_once; then
    echo "regression: the build failed; build/build.log says:" >&2
    head -n 20 build/build.log >&2
    first_error=$(grep -a -n -m 1 -i error build/build.log || grep -a -n -m 1 . build/build.log)
    write_result build 2 "${first_error:-1:the build was interrupted}"
    exit 2
fi
{
    read -r tool
    read -r build
} < build/id

waves=()
((RTL_WAVES)) && waves=("+waves=waves/$test-$seed.vcd")

started=${EPOCHREALTIME/./}
{
    printf 'regression: test=%s seed=%d build=%s tool="%s"\n' "$test" "$seed" "${build:0:12}" "$tool"
    vvp -N build/simulation.vvp "+test=$test" "+seed=$seed" "+n=$RTL_TRANSACTIONS" "${waves[@]}" < /dev/null 2>&1
} | tee -- "$log"
code=${PIPESTATUS[0]}
microseconds=$((${EPOCHREALTIME/./} - started))

pass_seen=yes
while IFS= read -r pattern; do
    grep -a -q -F -e "$pattern" -- "$log" || pass_seen=no
done < regression/pass.txt
failing=$(grep -a -n -m 1 -F -f regression/fail.txt -- "$log")
statistics=$(grep -a TB_STAT -- "$log" | tail -n 1)
last_line=$(grep -a . -- "$log" | tail -n 1)
write_result simulation "$code" "$failing"

if ((code != 0)) || [[ -n $failing ]]; then exit 1; fi
if [[ $pass_seen == no ]]; then exit 3; fi
exit 0
