# What every layout is checked for: design rules with Magic, and with Netgen whether it is what the netlist says.

mkdir -p reports
failed=0

# wrong WHAT FILE NUMBERED_LINE: the task goes on; the first thing that is wrong is the one to show.
wrong() {
    echo "layout: $1"
    ((failed)) || note_line "$2" "$3"
    failed=1
}

# count_broken_rules: of a log that layout/drc.tcl printed to; one that has no end is no result.
count_broken_rules() {
    local errors
    grep -a '^DRC ' logs/drc.log > reports/drc.txt
    errors=$(sed -n 's/^DRC total \([0-9]*\)$/\1/p' reports/drc.txt)
    if [[ -z $errors ]] || ! grep -a -q -x 'DRC complete' reports/drc.txt; then
        note_line logs/drc.log '0:Magic ended before it was done'
        finish 2
    fi
    note drc_errors "$errors"
    ((errors)) && wrong "$errors broken design rules" reports/drc.txt \
        "$(grep -a -n -m 1 '^DRC rule' reports/drc.txt || echo "0:$errors errors")"
    return 0
}

# draw FOLDER: the picture of what Magic saved there, on a node that has Python.
draw() {
    [[ -s $1/flat_drawing.mag ]] && command -v python3 > /dev/null || return 0
    python3 layout/draw_layout.py "$1/flat_drawing.mag" reports/layout.png < /dev/null
}

# compare LAYOUT NETLIST TOP SETUP OPTION...: two SPICE files. Netgen's exit code is always 0, and its last line calls
# circuits equal whose pins have each other's names or whose transistors have other widths.
compare() {
    local layout=$1 netlist=$2 top=$3 setup=$4 log=logs/lvs.log said
    shift 4
    netgen-lvs -batch lvs "$layout $top" "$netlist $top" "$setup" reports/lvs.txt -json "$@" < /dev/null > "$log" 2>&1
    said=$(grep -a -n '^Result: ' "$log" | tail -n 1)
    if [[ -z $said || ! -s reports/lvs.json ]]; then
        note_line "$log" "$(grep -a -n -m 1 -E '^(Cannot|Error)' "$log" || echo '0:Netgen ended without a result')"
        finish 2
    fi
    if [[ $said == *'Circuits match'* ]] && ! grep -a -q 'roperty errors' "$log" && awk -f layout/pins.awk reports/lvs.json; then
        note lvs match
        return 0
    fi
    note lvs mismatch
    wrong 'layout and netlist differ' "$log" "$said"
}
