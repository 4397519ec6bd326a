need ngspice=ngspice awk=mawk

# A line of spice/tasks.txt: index, section of the models, supply voltage, temperature, first sample, how many.
found=
while IFS=$'\t' read -r number corner voltage temperature first samples; do
    [[ $number == "$index" ]] && found=yes && break
done < spice/tasks.txt
[[ -n $found ]] || finish 2

log=logs/spice-$index.log
values=measures/$index.txt
deck=task-$index.deck
mkdir -p measures
: > "$log"
: > "$values.new"

# The user's deck with this point's values before its end, where they win over its own.
write_deck() {
    grep -a -v -i -E '^[[:space:]]*\.end[[:space:]]*$' "design/$SPICE_NETLIST"
    printf '\n'
    [[ $corner == - ]] || printf '.lib "%s" %s\n' "$SPICE_MODELS" "$corner"
    printf '.temp %s\n.param %s=%s\n' "$temperature" "$SPICE_SUPPLY" "$voltage"
    awk -v sample="$1" '$1 == sample { for (i = 2; i <= NF; i++) print ".param " $i }' spice/samples.txt
    printf '.end\n'
}

options=()
[[ $SPICE_COMPATIBILITY == none ]] || options=(-D "ngbehavior=$SPICE_COMPATIBILITY")
note tool "$(ngspice --version | sed -n 's/^\*\* \(ngspice[^ ]*\).*/\1/p')"
failed=0
for ((sample = first; sample < first + samples; sample++)); do
    write_deck "$sample" > "design/$deck"
    printf 'sample %d\n' "$sample" >> "$log"
    (cd design && exec ngspice -b "${options[@]}" "$deck") < /dev/null > "$log.one" 2>&1
    code=$?
    cat -- "$log.one" >> "$log"
    printf '%d exit_code %d\n' "$sample" "$code" >> "$values.new"
    ((code == 0)) || failed=1
    # A measure that could not be taken has no such line; ngspice then still ends with 0.
    awk -v sample="$sample" 'NR == FNR { wanted[tolower($1)] = $1; next }
        ($1 in wanted) && $2 == "=" { print sample, wanted[$1], $3 }' spice/measures.txt "$log.one" >> "$values.new"
done
rm -f -- "$log.one" "design/$deck"
mv -f -- "$values.new" "$values"
cat -- "$values"
error=$(grep -a -n -m 1 -i -E '^ *(error|fatal)|aborted|failed!|could not find a valid modelname' "$log")
[[ -n $error ]] && note_line "$log" "$error"
((failed)) && finish 1
finish 0
