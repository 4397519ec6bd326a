# Puts what ngspice measured into a cell's Liberty text: @ARC:NAME@ becomes the number, times in ns, capacitances in
# pF. First file: lines `ARC NAME VALUE` in SI units; second file: the text. Exits with 1 when a number is missing.
NR == FNR { value[$1 ":" $2] = $3; next }
{
    parts = split($0, part, "@")
    line = part[1]
    for (i = 2; i < parts; i += 2) {
        if (!(part[i] in value)) { missing = 1; continue }
        line = line sprintf("%.6g", value[part[i]] * (part[i] ~ /:cap$/ ? 1e12 : 1e9)) part[i + 1]
    }
    print line
}
END { exit missing }
