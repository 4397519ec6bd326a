# How many cells of a Yosys statistic are registers or latches, and their area, by the Liberty (read first).
FNR == 1 { file++ }
file == 1 && match($0, /^[ \t]*cell[ \t]*\(/) {
    cell = substr($0, RSTART + RLENGTH)
    gsub(/[ \t"]|\).*/, "", cell)
}
file == 1 && /^[ \t]*area[ \t]*:/ { split($0, part, /[:;]/); area[cell] = part[2] + 0 }
file == 1 && /^[ \t]*(ff|latch|ff_bank|latch_bank)[ \t]*\(/ { sequential[cell] = 1 }
file == 2 && NF == 2 && ($1 in sequential) { count += $2; total += $2 * area[$1] }
END { printf "%d %.6f\n", count, total }
