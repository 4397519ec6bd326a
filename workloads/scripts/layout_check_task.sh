need magic=magic awk=mawk base64=coreutils
[[ $LAYOUT_CHECKS == drc ]] || need netgen-lvs=netgen-lvs

technology=/usr/share/qflow/tech/$LAYOUT_TECHNOLOGY
if [[ ! -r $technology/$LAYOUT_TECHNOLOGY.magicrc ]]; then
    echo "tool missing: the rules of $LAYOUT_TECHNOLOGY (on $HOSTNAME); they come with the Debian package qflow-tech-$LAYOUT_TECHNOLOGY" >&2
    note missing_tool "qflow-tech-$LAYOUT_TECHNOLOGY"
    finish 127
fi
rm -rf -- run
mkdir run
LAYOUT_LEF=$technology/${LAYOUT_TECHNOLOGY}_stdcells.lef
LAYOUT_FILE=../design/$LAYOUT_SOURCE
LAYOUT_FORMAT=${LAYOUT_SOURCE##*.}
case $LAYOUT_FORMAT in
    def) # Magic calls a cell after the file that it comes from.
        LAYOUT_FILE=$LAYOUT_TOP.def
        cp "design/$LAYOUT_SOURCE" "run/$LAYOUT_FILE"
        ;;
    b64)
        LAYOUT_FORMAT=gds
        LAYOUT_FILE=layout.gds
        if ! base64 -d "design/$LAYOUT_SOURCE" > run/layout.gds 2> logs/drc.log; then
            note_line logs/drc.log "1:design/$LAYOUT_SOURCE is not base64"
            finish 2
        fi
        ;;
esac
export LAYOUT_LEF LAYOUT_FILE LAYOUT_FORMAT

log=logs/drc.log
cat layout/drc.tcl layout/read.tcl > run/read.tcl
(cd run && exec magic -dnull -noconsole -rcfile "$technology/$LAYOUT_TECHNOLOGY.magicrc" read.tcl) < /dev/null > "$log" 2>&1
# A cell or a layer that cannot be read is left out and Magic goes on: what is left then says nothing.
error=$(grep -a -n -m 1 -E "couldn't be read|LAYOUT error|Creating new cell|format error|is unavailable|^Error|Unrecognized|has technology|Cannot open|^Unknown" "$log")
if [[ -n $error ]] || ! grep -a -q -x 'LAYOUT complete' "$log"; then
    note_line "$log" "${error:-0:Magic ended before it was done}"
    finish 2
fi
draw run
read -r left bottom right top < <(sed -n 's/^LAYOUT box //p' "$log")
note width "$((${right:-0} - ${left:-0}))"
note height "$((${top:-0} - ${bottom:-0}))"
if [[ $LAYOUT_CHECKS != lvs ]]; then
    count_broken_rules
fi
if [[ $LAYOUT_CHECKS != drc ]]; then
    if [[ ! -s run/extracted.spice ]]; then
        note_line "$log" '0:Magic extracted no netlist'
        finish 2
    fi
    options=()
    [[ $LAYOUT_FORMAT == def ]] && options=(-blackbox) # cells of a DEF are known by their pins only
    netlist=design/$LAYOUT_NETLIST
    if [[ $netlist != *.spice ]]; then # Netgen knows a netlist by this ending.
        cp "$netlist" "$netlist.spice"
        netlist+=.spice
    fi
    compare run/extracted.spice "$netlist" "$LAYOUT_TOP" "$technology/${LAYOUT_TECHNOLOGY}_setup.tcl" "${options[@]}"
fi
((failed)) && finish 1
finish 0
