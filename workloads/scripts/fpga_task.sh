need yosys=yosys nextpnr-ice40=nextpnr-ice40 icepack=fpga-icestorm icetime=fpga-icestorm flock=util-linux awk=mawk
if ! compgen -G '/usr/share/fpga-icestorm/chipdb/*.txt' > /dev/null; then
    echo "tool missing: icetime's chip data (on $HOSTNAME); it comes with the Debian package fpga-icestorm-chipdb" >&2
    note missing_tool fpga-icestorm-chipdb
    finish 127
fi
seed=$((FPGA_FIRST_SEED + index))
mkdir -p netlist bitstreams

# The first task synthesises and the others wait for it; what failed once is not tried again.
exec 9> netlist/lock
flock 9
if [[ ! -s netlist/done && ! -e netlist/failed ]]; then
    yosys -Q -q -l logs/synthesis.log -c fpga/synthesize.tcl < /dev/null 2>&1
    code=$?
    if ((code == 0)) && ! grep -a -q '^ERROR' logs/synthesis.log; then
        echo done > netlist/done
    elif ((code < 126)); then
        touch netlist/failed # killed or not found is no verdict on the sources
    fi
fi
exec 9>&-
if [[ ! -s netlist/done ]]; then
    error=$(grep -a -n -m 1 '^ERROR' logs/synthesis.log)
    note_line logs/synthesis.log "${error:-0:Yosys ended before it was done}"
    finish 2
fi
note luts "$(awk '$1 == "SB_LUT4" { n = $2 } END { print n + 0 }' netlist/stat.txt)"
note registers "$(awk '$1 ~ /^SB_DFF/ { n += $2 } END { print n + 0 }' netlist/stat.txt)"

log=logs/place-$index.log
report=bitstreams/$index.json
asc=bitstreams/$index.asc
bitstream=bitstreams/$index.bin
rm -f -- "$report" "$asc" "$bitstream"
pins=(--pcf design/pins.pcf)
[[ -s design/pins.pcf ]] || pins=()
[[ $FPGA_FREE_PINS == 1 ]] && pins+=(--pcf-allow-unconstrained)
# A missed clock still gives a bit-stream: what it means is decided below.
nextpnr-ice40 "--$FPGA_DEVICE" --package "$FPGA_PACKAGE" "${pins[@]}" --freq "$FPGA_FREQUENCY_MHZ" --seed "$seed" \
    --json netlist/design.json --asc "$asc" --report "$report" --timing-allow-fail < /dev/null > "$log" 2>&1
code=$?
error=$(grep -a -n -m 1 -E '^(ERROR|terminate called|  what\(\):)' "$log")
if ((code != 0)) || [[ -n $error || ! -s $asc ]]; then
    note_line "$log" "${error:-0:nextpnr ended with exit code $code}"
    finish 2
fi
if ! icepack "$asc" "$bitstream" >> "$log" 2>&1; then
    note_line "$log" "$(grep -a -n . "$log" | tail -n 1)"
    finish 2
fi
# Another program's opinion of the longest path; it knows no clock domains.
icetime -d "$FPGA_DEVICE" -t -r "logs/icetime-$index.txt" "$asc" > /dev/null 2>&1
note icetime_ns "$(sed -n 's/^Total path delay: \([0-9.]*\) ns.*/\1/p' "logs/icetime-$index.txt")"
rm -f -- "$asc"

# nextpnr tells each clock after placement and again after routing, in lines that end with
# `123.45 MHz (PASS at 100.00 MHz)`: the last of each clock counts. The score is the smallest achieved/asked.
score=$(awk '/: Max frequency for clock / && $NF == "MHz)" { name = $6; ratio[name] = $(NF - 5) / $(NF - 1) }
    END { for (name in ratio) if (low == "" || ratio[name] < low) low = ratio[name]; print low }' "$log")
note score "$score"
# The seed with the largest score is the bit-stream that people take home.
if [[ -n $score ]]; then
    exec 9> bitstreams/lock
    flock 9
    printf '%s %s\n' "$score" "$index" >> bitstreams/scores.txt
    best=$(sort -k1,1gr -k2,2n bitstreams/scores.txt | awk 'NR == 1 { print $2 }')
    cp -f -- "bitstreams/$best.bin" bitstreams/best.new && mv -f bitstreams/best.new bitstreams/best.bin
    exec 9>&-
fi
missed=$(awk '/: Max frequency for clock / && $NF == "MHz)" { line[$6] = NR ":" $0; failed[$6] = $(NF - 3) == "(FAIL" }
    END { for (name in line) if (failed[name]) print line[name] }' "$log" | sort -n | head -n 1)
grep -a ': Max frequency for clock ' "$log" | tail -n 1
if [[ -n $missed && $FPGA_FAIL_ON_TIMING == 1 ]]; then
    note missed yes
    note_line "$log" "$missed"
    finish 1
fi
finish 0
