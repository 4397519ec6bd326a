# Facts of a routed layout: `awk -f layout.awk CELLS.lef DESIGN.def`, one NAME VALUE a line, lengths in um.
#
# A wire is measured along its middle, as the router wrote it; the stubs from tracks to pins are in it, power stripes are not.
# DEF: a point is ( x y ), * repeats the last coordinate; LEF/DEF Language Reference, NETS and SPECIALNETS.
FNR == NR && $1 == "MACRO" { macro = $2 }
FNR == NR && $1 == "SIZE" && macro != "" { width[macro] = $2; height[macro] = $4 }
FNR == NR && $1 == "END" { macro = "" }
FNR == NR { next }

$1 == "UNITS" { units = $4 }
$1 == "DIEAREA" { die = ($7 - $3) * ($8 - $4) }
$1 == "COMPONENTS" || $1 == "NETS" || $1 == "SPECIALNETS" { section = $1; if ($1 == "NETS") nets = $2; next }
$1 == "END" { section = ""; next }
section == "COMPONENTS" && $1 == "-" {
    area = width[$3] * height[$3]
    if ($3 ~ /^FILL/) { fillers++; next }
    cells++
    used += area
    if ($3 ~ /^(DFF|LATCH)/) registers++
    next
}
section ~ /NETS$/ && $1 == "-" { is_power = (section == "SPECIALNETS" && ($2 == "vdd" || $2 == "gnd")) }
section ~ /NETS$/ && !is_power {
    points = 0
    for (i = 1; i <= NF; i++) {
        if ($i == ";") continue
        if ($i == "NEW" || $i == "ROUTED") { points = 0; i++; layer = $i; is_wire = 1; continue }
        if ($i != "(") { if (is_wire && $i ~ /^M[0-9]+_M[0-9]+/) vias++; continue }
        if (!is_wire) { i += 3; continue }
        if ($(i + 3) != ")") continue
        now_x = $(i + 1) == "*" ? x : $(i + 1)
        now_y = $(i + 2) == "*" ? y : $(i + 2)
        if (points++) length_of[layer] += (now_x > x ? now_x - x : x - now_x) + (now_y > y ? now_y - y : y - now_y)
        x = now_x
        y = now_y
        i += 3
    }
    if (/;/) is_wire = 0
}
END {
    if (!units) exit 1
    print "cells", cells + 0
    print "fillers", fillers + 0
    print "registers", registers + 0
    printf "cell_area %.2f\n", used
    printf "die_area %.4f\n", die / units / units
    print "nets", nets + 0
    print "vias", vias + 0
    for (layer in length_of) {
        total += length_of[layer]
        printf "wire_%s %.2f\n", layer, length_of[layer] / units
    }
    printf "wire_length %.2f\n", total / units
}
