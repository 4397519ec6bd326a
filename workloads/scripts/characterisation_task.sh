need ngspice=ngspice flock=util-linux awk=mawk

# A line of characterisation/tasks.txt: index, cell, how many arcs.
found=
while IFS=$'\t' read -r number cell arcs; do
    [[ $number == "$index" ]] && found=yes && break
done < characterisation/tasks.txt
[[ -n $found ]] || finish 2
mkdir -p measures liberty liberty/cells
log=logs/$index.log
values=measures/$index.txt
: > "$log"
: > "$values.new"

options=()
[[ $CHAR_COMPATIBILITY == none ]] || options=(-D "ngbehavior=$CHAR_COMPATIBILITY")
note tool "$(ngspice --version | sed -n 's/^\*\* \(ngspice[^ ]*\).*/\1/p')"
failed=0
for ((arc = 0; arc < arcs; arc++)); do
    # Where edges meet, simple transistor models may not converge to the last nA: then to tens or hundreds of nA,
    # which moves delays by less than a thousandth.
    for tolerance in 1e-9 1e-8 1e-7; do
        sed "s/ abstol=[^ ]*/ abstol=$tolerance/" "characterisation/$index-$arc.cir" > "design/.arc-$index.cir"
        (cd design && exec ngspice -b "${options[@]}" ".arc-$index.cir") < /dev/null > "$log.one" 2>&1
        code=$?
        ((code != 0)) && grep -a -q 'Timestep too small' "$log.one" && continue
        break
    done
    ((code == 0)) || failed=$code
    cat -- "$log.one" >> "$log"
    # A measure that could not be taken says `failed`; ngspice then still ends with 0.
    awk -v arc="$arc" '$2 == "=" && $1 ~ /^([des][12]_[0-9]+_[0-9]+|cap)$/ && $3 ~ /^[-+]?[0-9]/ {
        print arc, $1, $3
    }' "$log.one" >> "$values.new"
done
rm -f -- "$log.one" "design/.arc-$index.cir"
mv -f -- "$values.new" "$values"
error=$(grep -a -n -m 1 -i -E '^ *(error|fatal)|aborted|could not find a valid modelname' "$log")
if ((failed)); then
    note_line "$log" "${error:-0:ngspice ended with exit code $failed}"
    finish 1
fi
if ! awk -f characterisation/fill.awk "$values" "characterisation/$index.lib" > "liberty/cells/$index.new"; then
    rm -f -- "liberty/cells/$index.new"
    error=${error:-$(grep -a -n -m 1 -E '^ *[a-z0-9_]+ *= *failed|out of interval' "$log")}
    note_line "$log" "${error:-0:a measure is missing}"
    finish 1
fi
# The ends of both edges must be levels, else the numbers before them mean nothing.
unsettled=$(awk -v supply="$CHAR_SUPPLY_V" '
    function size(x) { return x < 0 ? -x : x }
    $2 ~ /^e/ && size($3) > 0.05 * supply && size($3 - supply) > 0.05 * supply { print $2 " = " $3; exit }
    ' "$values")
if [[ -n $unsettled ]]; then
    rm -f -- "liberty/cells/$index.new"
    note unsettled yes
    note_line "$log" "0:the output is at $unsettled V when the window ends"
    finish 1
fi
mv -f -- "liberty/cells/$index.new" "liberty/cells/$index.lib"

# The library holds the cells that are ready, in their order.
exec 9> liberty/lock
flock 9
library=liberty/$CHAR_LIBRARY.lib
{
    cat characterisation/header.lib
    find liberty/cells -name '*.lib' -printf '%f\n' | sort -n | (cd liberty/cells && xargs -r cat --)
    echo '}'
} > "$library.new"
mv -f -- "$library.new" "$library"
exec 9>&-
printf '%s: %d measures\n' "$cell" "$(wc -l < "$values")"
finish 0
