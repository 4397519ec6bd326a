# Design rules with Magic, on a cell that is loaded: LAYOUT count, then each rule with the places where it is broken.
#
# Prints `DRC total N`, for each rule `DRC rule TEXT` and `DRC box X1 Y1 X2 Y2` in um, and at the end `DRC complete`.
proc report_rules {} {
    set micrometres [expr {[string trimright [lindex [cif scale out] 0] {um }]}]
    drc euclidean on
    drc on
    drc check
    drc catchup
    puts "DRC total [drc list count total]"
    foreach {rule boxes} [drc listall why] {
        puts "DRC rule [string map {\n { }} $rule]"
        foreach box $boxes {
            set place {}
            foreach edge $box { lappend place [format %.3f [expr {$edge * $micrometres}]] }
            puts "DRC box $place"
        }
    }
    puts "DRC complete"
}

# All of a cell as one, for draw_layout.py.
proc save_drawing {top} {
    load $top
    flatten flat_drawing
    load flat_drawing
    save flat_drawing
}
