need python=python3 base64=coreutils
if ! python -c 'from klayout import db' > /dev/null 2>&1; then
    echo "tool missing: klayout (on $HOSTNAME); it comes with the Python package of that name" >&2
    note missing_tool klayout
    finish 127
fi

mkdir -p run reports
rm -f -- reports/*
log=logs/rules.log
if ! base64 -d "design/$RULES_LAYOUT" > run/layout 2> "$log"; then
    note_line "$log" "1:design/$RULES_LAYOUT is not base64"
    finish 2
fi
python layout/check_layout_rules.py layout/rules.json run/layout reports < /dev/null > "$log" 2>&1
code=$?
cat -- "$log"
total=$(sed -n 's/^RULES total \([0-9]*\)$/\1/p' "$log")
if ((code != 0)) || [[ -z $total ]] || ! grep -a -q -x 'RULES complete' "$log"; then
    error=$(grep -a -n -m 1 -E '^(RULES error|[A-Za-z.]*(Error|Exception):)' "$log")
    note_line "$log" "${error:-0:KLayout ended with exit code $code}"
    finish 2
fi
note broken "$total"
if ((total)); then
    note_line "$log" "$(grep -a -n -m 1 '^RULES total' "$log")"
    finish 1
fi
finish 0
