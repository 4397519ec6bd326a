# Ends with 0 when the pins of the top cell, the last in a report of Netgen, are called the same in both netlists.
# SPICE does not tell capital letters from small ones, and a name of Magic may end in ! for "everywhere".
/"pins": \[/ { side = 1; delete pin; count[1] = count[2] = 0; is_list = 1; next }
is_list && /\], \[/ { side = 2; next }
is_list && /^ *"/ {
    name = tolower($0)
    sub(/^ *"/, "", name)
    sub(/" *,? *$/, "", name)
    sub(/!$/, "", name)
    pin[side, ++count[side]] = name
}
is_list && /^ *\][^,]*$/ { is_list = 0 }
END {
    if (count[1] != count[2]) exit 1
    for (i = 1; i <= count[1]; i++) if (pin[1, i] != pin[2, i]) exit 1
}
