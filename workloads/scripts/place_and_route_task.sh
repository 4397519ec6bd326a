need tcsh=tcsh qflow=qflow yosys=yosys graywolf=graywolf qrouter=qrouter magic=magic netgen-lvs=netgen-lvs awk=mawk

technology=/usr/share/qflow/tech/$PNR_TECHNOLOGY
if [[ ! -r $technology/$PNR_TECHNOLOGY.sh ]]; then
    echo "tool missing: the cells of $PNR_TECHNOLOGY (on $HOSTNAME); they come with the Debian package qflow-tech-$PNR_TECHNOLOGY" >&2
    note missing_tool "qflow-tech-$PNR_TECHNOLOGY"
    finish 127
fi
PNR_LIBERTY=$(echo "$technology"/*_stdcells.lib)
PNR_LEF=$technology/${PNR_TECHNOLOGY}_stdcells.lef
PNR_OUT=run/source/$PNR_TOP.v
export PNR_LIBERTY PNR_LEF PNR_OUT

# qflow finds its files only when all of its folders are there from the beginning.
rm -rf -- run reports
mkdir -p run/source run/synthesis run/layout run/log reports
{
    printf 'set initial_density = %s\n' "$PNR_DENSITY"
    [[ -n $PNR_LAYERS ]] && printf 'set route_layers = %s\n' "$PNR_LAYERS"
} > run/project_vars.sh
sed -e "s/^\(TWMC\*chip\.aspect\.ratio\).*/\1 : $PNR_ASPECT/" -e "s/^\(\*random\.seed\).*/\1 : $PNR_SEED/" \
    "$technology/$PNR_TECHNOLOGY.par" > "run/layout/$PNR_TOP.par"

log=logs/prepare.log
yosys -Q -q -l "$log" -c pnr/prepare.tcl < /dev/null 2>&1
code=$?
error=$(grep -a -n -m 1 'ERROR' "$log")
if ((code != 0)) || [[ -n $error ]]; then
    note_line "$log" "${error:-0:Yosys ended with exit code $code}"
    finish 2
fi

# step NAME FILE: one step of qflow, whose exit code is 0 for much that went wrong; it must leave FILE behind.
step() {
    local started=${EPOCHREALTIME/./} code log=logs/$1.log error
    (cd run && QT_QPA_PLATFORM=offscreen exec qflow "$1" -T "$PNR_TECHNOLOGY" "$PNR_TOP") < /dev/null > "$log" 2>&1
    code=$?
    note "${1}_microseconds" "$((${EPOCHREALTIME/./} - started))"
    echo "place and route: $1 ended with exit code $code"
    ((code == 0)) && [[ -s run/$2 ]] && return 0
    error=$(grep -a -n -m 1 -i -E '\b(error|failure|failed|premature exit)\b' "$log")
    note failed_step "$1"
    note_line "$log" "${error:-0:$1 ended with exit code $code and no $2}"
    finish 2
}

# The last frequency that vesta computed with a log of its own; a design without registers has none.
frequency() { sed -n 's/^Computed maximum clock frequency .* = \([0-9.]*\) MHz.*/\1/p' "run/log/$1" | head -n 1; }

measure() {
    local name value
    while read -r name value; do note "$name" "$value"; done < <(awk -f pnr/layout.awk "$PNR_LEF" "run/layout/$PNR_TOP.def")
}

step synthesize "synthesis/$PNR_TOP.rtlnopwr.v"
step place "layout/$PNR_TOP.def"
step sta log/sta.log
note frequency_before "$(frequency sta.log)"
if [[ $PNR_LAST == placement ]]; then
    measure
    finish 0
fi

step route log/route.log
final=$(grep -a -n '^Final: ' run/log/route.log | tail -n 1)
measure
case $final in
    *'No failed routes!') note unrouted 0 ;;
    *'Failed net routes: '*)
        note unrouted "${final##*: }"
        # qrouter ends with the names of what it gave up.
        sed -n '/^Final: Failed net routes/,/^---/p' run/log/route.log | sed -n 's/^ \([^ ]*\)$/\1/p' > reports/unrouted.txt
        cp run/log/route.log logs/route.log
        note_line logs/route.log "$final"
        finish 1
        ;;
    *)
        cp run/log/route.log logs/route.log
        note_line logs/route.log '0:the router ended before it was done'
        finish 2
        ;;
esac
step backanno log/post_sta.log
note frequency_after "$(frequency post_sta.log)"
slow=$(awk -v f="$(frequency post_sta.log)" -v period="$PNR_PERIOD_NS" 'BEGIN { print (period > 0 && f > 0 && f * period < 1000) }')
if ((slow)); then
    note slow yes
    wrong 'the design is slower than its clock' run/log/post_sta.log \
        "$(grep -a -n -m 1 '^Computed maximum clock frequency' run/log/post_sta.log)"
fi
if [[ $PNR_LAST == routing ]]; then
    ((failed)) && finish 1
    finish 0
fi

step migrate "layout/$PNR_TOP.spice"
cat layout/drc.tcl pnr/check.tcl > run/layout/check.tcl
(cd run/layout && exec magic -dnull -noconsole -rcfile "$technology/$PNR_TECHNOLOGY.magicrc" check.tcl) < /dev/null > logs/drc.log 2>&1
draw run/layout
count_broken_rules
compare "run/layout/$PNR_TOP.spice" "run/synthesis/$PNR_TOP.spc" "$PNR_TOP" \
    "$technology/${PNR_TECHNOLOGY}_setup.tcl" -blackbox
((failed)) && finish 1
finish 0
