need yosys=yosys yosys-smtbmc=yosys "$FORMAL_SOLVER=$FORMAL_SOLVER"

mkdir -p traces
rm -f -- traces/*.vcd logs/*.log
log=logs/build.log
yosys -Q -q -l "$log" -c formal/prepare.tcl < /dev/null 2>&1
code=$?
error=$(grep -a -n -m 1 'ERROR' "$log")
if ((code != 0)) || [[ -n $error ]]; then
    note_line "$log" "${error:-0:Yosys ended with exit code $code}"
    finish 2
fi
asserts=$(grep -a -c '^; yosys-smt2-assert ' formal/model.smt2)
covers=$(grep -a -c '^; yosys-smt2-cover ' formal/model.smt2)
note asserts "$asserts"
note covers "$covers"
if ((asserts + covers == 0)); then
    echo "formal: the design has no assertion and no cover statement" >&2
    finish 3
fi

# check NAME STEPS OPTION...: one run of the solver; what it says counts, and only together with its exit code.
failed=0
unknown=0
check() {
    local name=$1 steps=$2 started=${EPOCHREALTIME/./} code status
    shift 2
    yosys-smtbmc -s "$FORMAL_SOLVER" "$@" -t "$steps" formal/model.smt2 < /dev/null > "logs/$name.log" 2>&1
    code=$?
    cat -- "logs/$name.log"
    status=$(sed -n 's/^## .* Status: \([A-Z]*\).*/\1/p' "logs/$name.log" | tail -n 1)
    [[ $status == PASSED && $code != 0 ]] && status=ERROR
    note "${name}_status" "${status:-ERROR}"
    note "${name}_microseconds" "$((${EPOCHREALTIME/./} - started))"
    [[ $status == PASSED ]] && return 0
    # An induction that fails proves nothing; a contradiction among the assumptions makes everything true.
    if [[ $name == induction || $status == PREUNSAT ]]; then unknown=1; else failed=1; fi
    note_line "logs/$name.log" "$(grep -a -n -m 1 -E 'Assert failed|Unreached cover|unsatisfiable|Error|induction failed' \
        "logs/$name.log" || echo '0:the solver ended without a result')"
    return 1
}

if ((asserts > 0)); then
    # Assumptions that contradict each other would make every assertion hold: --presat looks for that first.
    check bmc "$FORMAL_DEPTH" --presat --dump-vcd traces/bmc.vcd
    note bmc_step "$(sed -n 's/.*Checking assertions in step \([0-9]*\)\.\..*/\1/p' logs/bmc.log | tail -n 1)"
    if ((FORMAL_INDUCTION && failed + unknown == 0)); then
        check induction "$FORMAL_DEPTH" -i --dump-vcd traces/induction.vcd
        note induction_step "$(sed -n 's/.*Trying induction in step \([0-9]*\)\.\..*/\1/p' logs/induction.log | tail -n 1)"
    fi
fi
if ((covers > 0 && failed + unknown == 0)); then
    check cover "$FORMAL_DEPTH" -c --dump-vcd traces/cover%.vcd
fi
((failed)) && finish 1
((unknown)) && finish 3
finish 0
