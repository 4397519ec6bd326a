need ghdl=ghdl flock=util-linux timeout=coreutils

# A line of vhdl/tasks.txt: index, seed, generics with a space between.
found=
while IFS=$'\t' read -r number seed generics; do
    [[ $number == "$index" ]] && found=yes && break
done < vhdl/tasks.txt
[[ -n $found ]] || finish 2
read -r -a generics <<< "$generics"
[[ -n $VHDL_SEED_GENERIC ]] && generics+=("$VHDL_SEED_GENERIC=$seed")
mkdir -p build waves

options=("--std=$VHDL_STANDARD" --workdir=build)
[[ $VHDL_SYNOPSYS == 1 ]] && options+=(-fsynopsys)

# analyse: all files into one library, in their order, then the elaboration of the bench.
analyse() {
    local file
    ghdl --version | head -n 1
    while IFS= read -r file; do
        ghdl -a "${options[@]}" "$file" || return
    done < vhdl/sources.txt
    ghdl -e "${options[@]}" "$VHDL_TOP"
}

# The first task analyses and the others wait for it; what failed once is not tried again.
exec 9> build/lock
flock 9
if [[ ! -e build/done && ! -e build/failed ]]; then
    analyse < /dev/null > logs/analysis.log 2>&1
    code=$?
    if ((code == 0)); then
        touch build/done
    elif ((code < 126)); then
        touch build/failed # killed or not found is no verdict on the sources
    fi
fi
exec 9>&-
# The message that failed a run; else an error of GHDL, as `file:line:column: text` or after its own name.
severities=error\|failure
[[ $VHDL_FAIL_LEVEL == warning ]] && severities=warning\|$severities
[[ $VHDL_FAIL_LEVEL == failure ]] && severities=failure
first_error() {
    grep -a -n -m 1 -E ":\((report|assertion) ($severities)\):" "$1" ||
        grep -a -n -E '^([^ ]+:[0-9]+:[0-9]+: |[^ ]*:error:)' "$1" | head -n 1
}
if [[ ! -e build/done ]]; then
    error=$(first_error logs/analysis.log)
    note_line logs/analysis.log "${error:-0:the analysis was interrupted}"
    finish 2
fi
note tool "$(head -n 1 logs/analysis.log)"
note build "$({
    head -n 1 logs/analysis.log
    echo "${options[*]} $VHDL_TOP"
    xargs -d '\n' sha256sum < vhdl/sources.txt
} | sha256sum | cut -c 1-64)"

log=logs/run-$index.log
run=(ghdl -r "${options[@]}" "$VHDL_TOP" "${generics[@]/#/-g}" "--assert-level=$VHDL_FAIL_LEVEL")
run+=(--ieee-asserts=disable-at-0)
[[ -n $VHDL_STOP_TIME ]] && run+=("--stop-time=$VHDL_STOP_TIME")
case $VHDL_WAVES in
    fst) run+=("--fst=waves/$index.fst") ;;
    ghw) run+=("--wave=waves/$index.ghw") ;;
esac
((VHDL_TIMEOUT)) && run=(timeout --kill-after=10 "$VHDL_TIMEOUT" "${run[@]}")
started=${EPOCHREALTIME/./}
"${run[@]}" < /dev/null 2>&1 | tee -- "$log"
code=${PIPESTATUS[0]}
elapsed=$((${EPOCHREALTIME/./} - started))
note microseconds "$elapsed"
note run_exit_code "$code"
((VHDL_TIMEOUT && (code == 124 || code == 137) && elapsed >= VHDL_TIMEOUT * 1000000)) && note timed_out yes
for severity in note warning error failure; do
    note "${severity}s" "$(grep -a -c -E ":\((report|assertion) $severity\):" "$log")"
done
note statistics "$(grep -a TB_STAT "$log" | tail -n 1)"
note last_line "$(grep -a . "$log" | tail -n 1)"
note ended_at "$(sed -n -E 's/.*simulation (finished|stopped).*@([0-9]+[a-z]+).*/\2/p' "$log" | tail -n 1)"
grep -a -q 'simulation stopped by --stop-time' "$log" && note stopped yes
pass_seen=yes
while IFS= read -r pattern; do
    grep -a -q -F -e "$pattern" -- "$log" || pass_seen=no
done < vhdl/pass.txt
note pass_seen "$pass_seen"
if ((code != 0)); then
    error=$(first_error "$log")
    note_line "$log" "${error:-0:GHDL ended with exit code $code}"
    finish 1
fi
[[ $pass_seen == yes ]] || finish 3
finish 0
