#!/bin/bash
# One task of an RTL regression: index -> (test, configuration, seed); build once for all tasks that share a
# configuration; simulate; write down the facts.
#
# This file is the same for every job. What differs comes as RTL_* variables and as lines of files under
# regression/, never spliced into shell text.
#
# Exit codes: 0 passed, 1 failed, 2 the build failed, 3 ended without saying either, 127 a program is missing.
set -u -o pipefail
export LC_ALL=C

index=${HPC_ARRAY_TASK_ID:-${SLURM_ARRAY_TASK_ID:?this script runs as a task of an array}}

# A line of blocks.txt: the first task, how many, test, configuration, the first seed, time limit, plusargs.
found=
while read -r first count test configuration first_seed limit plusargs; do
    if ((index >= first && index < first + count)); then
        found=yes
        break
    fi
done < regression/blocks.txt
if [[ -z $found ]]; then
    echo "regression: there is no task $index" >&2
    exit 1
fi
read -r -a plusargs <<< "$plusargs"
seed=$((first_seed + index - first))
row=$test
[[ -e regression/several ]] && row=$test.$configuration
log=logs/$row-$seed.log
result=regression/results/$index
build=build/$configuration

mkdir -p "$build" logs waves coverage regression/results
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
        [[ -n ${timed_out:-} ]] && printf 'timed_out_seconds=%d\n' "$limit"
        printf 'pass_seen=%s\n' "${pass_seen:-no}"
        printf 'microseconds=%d\n' "${microseconds:-0}"
        printf 'statistics=%.2000s\n' "${statistics:-}"
        [[ -n ${points:-} ]] && printf 'coverage_points=%d\n' "$points"
        printf 'last_line=%.2000s\n' "${last_line:-}"
        printf 'tool=%s\n' "${tool:-}"
        printf 'build=%s\n' "${build_id:-}"
        [[ -n ${cocotb_found:-} ]] && grep -E '^(cocotb_|simulated_|fail_source=|fail_test=)' <<< "$cocotb_found"
        true # a bench without any of these has its result all the same
    } > "$result.new" && mv -f -- "$result.new" "$result"
}

# The design and its bench, or with cocotb the design alone, as one program: $build/simulation.
compile() {
    local options=()
    if [[ $RTL_TOOL == icarus ]]; then
        [[ -n $RTL_COCOTB ]] && options=(-s rtl_waves "-DRTL_TOP=$RTL_TOP" regression/cocotb/waves.v)
        iverilog -g2012 -s "$RTL_TOP" -o "$build/simulation.new" -c "regression/$configuration.f" "${options[@]}"
        return
    fi
    options=(--cc --exe --build --timing -Wno-fatal --prefix Vsimulation -O3)
    options+=(-CFLAGS -O0 -MAKEFLAGS 'OPT_FAST=-O0 OPT_GLOBAL=-O0')
    ((RTL_COVERAGE)) && options+=(--coverage)
    ((RTL_WAVES)) && options+=(--trace-fst)
    if [[ -n $RTL_COCOTB ]]; then
        options+=(--vpi --public-flat-rw --timescale 1ns/1ps)
        options+=(-LDFLAGS "-Wl,-rpath,$cocotb_libraries -L$cocotb_libraries -lcocotbvpi_verilator")
    fi
    verilator "${options[@]}" --top-module "$RTL_TOP" --Mdir "$build/obj" -f "regression/$configuration.f" \
        "$PWD/regression/verilator/main.cpp" && cp "$build/obj/Vsimulation" "$build/simulation.new"
}

version() {
    local simulator
    simulator=$(if [[ $RTL_TOOL == icarus ]]; then iverilog -V 2> /dev/null | head -n 1; else verilator --version; fi)
    printf '%s%s\n' "$simulator" "${RTL_COCOTB:+, cocotb ${cocotb_version:-}}"
}

# What cocotb needs to be found by the simulator.
find_cocotb() {
    [[ -n $RTL_COCOTB ]] || return 0
    command -v cocotb-config > /dev/null || missing cocotb-config "it comes with the Python package cocotb"
    cocotb_python=$(cocotb-config --python-bin)
    {
        read -r cocotb_version
        read -r cocotb_libraries
        read -r GPI_USERS
    } < <("$cocotb_python" regression/cocotb/find.py)
    [[ -n $GPI_USERS ]] || missing cocotb "it must be 2.1 or newer: pip install cocotb"
    export GPI_USERS PYGPI_PYTHON_BIN=$cocotb_python
    export PYTHONPATH=$PWD/design${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1
    export COCOTB_TOPLEVEL=$RTL_TOP TOPLEVEL_LANG=verilog COCOTB_ANSI_OUTPUT=0 COCOTB_RANDOM_SEED=$seed
    export COCOTB_RESULTS_FILE=$PWD/regression/cocotb/$index.xml
    # All tests of the module of that name, or those of that name, whatever their parameters.
    local module
    for module in ${RTL_COCOTB//,/ }; do
        [[ ${module##*.} == "$test" ]] && export COCOTB_TEST_MODULES=$module && return
    done
    export COCOTB_TEST_MODULES=$RTL_COCOTB COCOTB_TEST_FILTER="(^|[.])$test(/|\$)"
}

# The first task builds and the others wait for it; a build that failed once is not tried again.
build_once() {
    [[ -s $build/id ]] && return 0
    exec 9> "$build/lock"
    flock 9
    if [[ ! -s $build/id && ! -e $build/failed ]]; then
        compile > "$build/build.log" 2>&1 < /dev/null
        local code=$?
        if ((code == 0)); then
            # A seed means nothing without the simulator and the build that it was drawn in.
            {
                version
                {
                    version
                    echo "$RTL_TOOL $RTL_TOP"
                    find design "regression/$configuration.f" -type f -print0 | sort -z | xargs -0 sha256sum
                } | sha256sum | cut -c 1-64
            } > "$build/id.new"
            mv -f "$build/simulation.new" "$build/simulation" && mv -f "$build/id.new" "$build/id"
        elif ((code < 126)); then
            touch "$build/failed" # killed or not found is no verdict on the sources
        fi
    fi
    exec 9>&-
    [[ -s $build/id ]]
}

# What all passing tasks covered together; each adds its own part and keeps only how many points it hit.
merge_coverage() {
    local own=coverage/$index.dat merged=coverage/merged.dat
    [[ -s $own ]] || return 0
    points=$(grep -a -c "' [0-9]*[1-9][0-9]*\$" "$own")
    exec 9> coverage/lock
    flock 9
    if [[ -s $merged ]]; then
        verilator_coverage --write "$merged.new" "$merged" "$own" > /dev/null && mv -f "$merged.new" "$merged"
        rm -f -- "$own"
    else
        mv -f "$own" "$merged"
    fi
    exec 9>&-
}

# missing PROGRAM HOW_TO_GET_IT: a node without a program says so before anything is computed.
missing() {
    echo "tool missing: $1 (on $HOSTNAME); $2" >&2
    printf 'missing_tool=%s\nexit_code=127\n' "$1" > "$result.new" && mv -f -- "$result.new" "$result"
    exit 127
}

# need PROGRAM=PACKAGE...
need() {
    local entry
    for entry in "$@"; do
        command -v "${entry%%=*}" > /dev/null || missing "${entry%%=*}" "it comes with the Debian package ${entry#*=}"
    done
}

need flock=util-linux timeout=coreutils
if [[ $RTL_TOOL == icarus ]]; then
    need iverilog=iverilog vvp=iverilog
else
    need verilator=verilator g++=g++ make=make verilator_coverage=verilator
fi

find_cocotb
if ! build_once; then
    echo "regression: the build failed; $build/build.log says:" >&2
    head -n 20 "$build/build.log" >&2
    first_error=$(grep -a -n -m 1 -i error "$build/build.log" || grep -a -n -m 1 . "$build/build.log")
    write_result build 2 "${first_error:-1:the build was interrupted}"
    exit 2
fi
{
    read -r tool
    read -r build_id
} < "$build/id"

command=("$build/simulation")
if [[ $RTL_TOOL == icarus ]]; then
    loaded=()
    [[ -n $RTL_COCOTB ]] && loaded=(-m "$cocotb_libraries/libcocotbvpi_icarus.so")
    command=(vvp -N "${loaded[@]}" "$build/simulation")
    ((RTL_WAVES)) && command+=(-fst)
fi
# By SIGINT, at which Icarus ends as at $finish and so completes its waveform.
((limit)) && command=(timeout --signal=INT --kill-after=10 "$limit" "${command[@]}")
waves=()
((RTL_WAVES)) && waves=("+waves=waves/$row-$seed.fst") && export RTL_WAVES_FILE=waves/$row-$seed.fst
[[ -n $RTL_COCOTB ]] && rm -f -- "$COCOTB_RESULTS_FILE"
((RTL_COVERAGE)) && export RTL_COVERAGE_FILE=coverage/$index.dat

# With cocotb its own results decide, whatever texts the log has to have else.
judge_cocotb() {
    [[ -n $RTL_COCOTB ]] || return 0
    cocotb_found=$("$cocotb_python" regression/cocotb/read_results.py "$COCOTB_RESULTS_FILE" "$log")
    pass_seen=no
    if grep -q -x 'cocotb_failed=0' <<< "$cocotb_found"; then
        grep -q '^cocotb_passed=[1-9]' <<< "$cocotb_found" && pass_seen=yes
    else
        failing=$(sed -n 's/^fail_line_number=//p' <<< "$cocotb_found"):$(sed -n 's/^fail_line=//p' <<< "$cocotb_found")
    fi
}

started=${EPOCHREALTIME/./}
{
    printf 'regression: test=%s configuration=%s seed=%d build=%s tool="%s"\n' \
        "$test" "$configuration" "$seed" "${build_id:0:12}" "$tool"
    "${command[@]}" "+test=$test" "+seed=$seed" "${plusargs[@]/#/+}" "${waves[@]}" < /dev/null 2>&1
} | tee -- "$log"
code=${PIPESTATUS[0]}
microseconds=$((${EPOCHREALTIME/./} - started))
((limit && (code == 124 || code == 137) && microseconds >= limit * 1000000)) && timed_out=yes

pass_seen=yes
while IFS= read -r pattern; do
    grep -a -q -F -e "$pattern" -- "$log" || pass_seen=no
done < regression/pass.txt
failing=$(grep -a -n -m 1 -F -f regression/fail.txt -- "$log")
judge_cocotb
statistics=$(grep -a TB_STAT -- "$log" | tail -n 1)
last_line=$(grep -a . -- "$log" | tail -n 1)
if ((code == 0)) && [[ -z $failing && $pass_seen == yes ]]; then
    ((RTL_COVERAGE)) && merge_coverage
fi
write_result simulation "$code" "$failing"

if ((code != 0)) || [[ -n $failing ]]; then exit 1; fi
if [[ $pass_seen == no ]]; then exit 3; fi
exit 0
