need yosys=yosys yosys-abc=yosys sta=opensta awk=mawk

# A line of synthesis/tasks.txt: index, Liberty, clock period in ns and in ps, parameters of the top module.
found=
while IFS=$'\t' read -r number liberty SYN_PERIOD_NS SYN_PERIOD_PS SYN_PARAMETERS; do
    [[ $number == "$index" ]] && found=yes && break
done < synthesis/tasks.txt
[[ -n $found ]] || finish 2

# `osu018` is a technology of the Debian package of that name; a path is the user's own library.
case $liberty in
    osu018 | osu035) SYN_LIBERTY=/usr/share/qflow/tech/$liberty/${liberty}_stdcells.lib ;;
    osu050) SYN_LIBERTY=/usr/share/qflow/tech/osu050/osu05_stdcells.lib ;;
    *) SYN_LIBERTY=$liberty ;;
esac
if [[ ! -r $SYN_LIBERTY ]]; then
    echo "tool missing: the library $liberty (on $HOSTNAME); it comes with the Debian package qflow-tech-$liberty" >&2
    note missing_tool "qflow-tech-$liberty"
    finish 127
fi
SYN_OUT=netlists/$index
export SYN_LIBERTY SYN_PERIOD_NS SYN_PERIOD_PS SYN_PARAMETERS SYN_OUT
mkdir -p "$SYN_OUT"
rm -f -- "$SYN_OUT"/*

log=logs/synthesis-$index.log
yosys -Q -q -l "$log" -c synthesis/synthesize.tcl < /dev/null 2>&1
code=$?
error=$(grep -a -n -m 1 '^ERROR:' "$log" || grep -a -n -m 1 'ERROR' "$log")
if ((code != 0)) || [[ -n $error ]]; then
    note_line "$log" "${error:-0:Yosys ended with exit code $code}"
    finish 2
fi
note cells "$(sed -n 's/^ *Number of cells: *//p' "$SYN_OUT/stat.txt" | tail -n 1)"
note area "$(sed -n 's/^ *Chip area for .*: *//p' "$SYN_OUT/stat.txt" | tail -n 1)"
read -r cells area < <(awk -f synthesis/sequential.awk "$SYN_LIBERTY" "$SYN_OUT/stat.txt")
note sequential_cells "$cells"
note sequential_area "$area"

report=logs/timing-$index.log
sta -no_init -no_splash -exit synthesis/timing.tcl < /dev/null > "$report" 2>&1
error=$(grep -a -n -m 1 '^Error' "$report")
if [[ -n $error ]] || ! grep -a -q -x 'SYN complete' "$report"; then
    note_line "$report" "${error:-0:OpenSTA ended before it was done}"
    finish 2
fi
# Registers without a clock and loops are not timed: then no slack says anything about them.
note untimed "$(grep -a -m 1 -E '^Warning: There (are|is) [0-9]+ (unclocked|combinational loop)' "$report")"
rank=0
while read -r _ name value from to; do
    case $name in
        setup_*) note "$name" "$value" ;;
        path) note "path_$((rank++))" "$value $from $to" ;;
    esac
done < <(grep -a '^SYN ' "$report")
grep -a '^SYN ' "$report"

# The sign alone decides here; the portal also asks whether the numbers can be true.
slack=$(sed -n 's/^SYN setup_worst_slack //p' "$report")
if [[ $slack == -* && $SYN_FAIL_ON_SLACK == 1 ]]; then
    note violated yes
    note_line "$report" "$(grep -a -n -m 1 'slack (VIOLATED)' "$report")"
    finish 1
fi
finish 0
