need verilator=verilator

log=logs/lint.log
note tool "$(verilator --version 2>&1 | head -n 1)"
verilator --lint-only -Wall -Wno-fatal --top-module "$LINT_TOP" -f lint/verilator.f < /dev/null > "$log" 2>&1
code=$?
cat -- "$log"
note tool_exit_code "$code"

error=$(grep -a -n -m 1 '^%Error' "$log")
if [[ -n $error ]]; then
    note_line "$log" "$error"
    finish 1
fi
((code == 0)) || finish 1

# A line of lint/fail_on.txt is `^%Warning-CODE:`.
counted=$(grep -a -n -m 1 -E -f lint/fail_on.txt -- "$log")
if [[ -n $counted ]]; then
    note_line "$log" "$counted"
    finish 1
fi
finish 0
