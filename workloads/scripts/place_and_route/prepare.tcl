# Sources or a netlist of the technology's cells to one flat module for qflow, with Yosys. All values come as variables
# and files; Tcl passes each on as one word, so none is read as a command.
#
# Needs pnr/sources.txt, pnr/defines.txt and PNR_TOP, PNR_PARAMETERS, PNR_LIBERTY, PNR_OUT.
proc lines_of {path} {
    set file [open $path]
    set lines [split [string trimright [read $file] "\n"] "\n"]
    close $file
    return $lines
}

set top $::env(PNR_TOP)
yosys read_liberty -lib -ignore_miss_dir -setattr blackbox $::env(PNR_LIBERTY)
set options [list -sv -I design]
foreach define [lines_of pnr/defines.txt] {
    if {$define ne ""} { lappend options -D $define }
}
yosys read_verilog {*}$options {*}[lines_of pnr/sources.txt]
foreach assignment [split $::env(PNR_PARAMETERS)] {
    set parts [split $assignment =]
    yosys chparam -set [lindex $parts 0] [lindex $parts 1] $top
}
yosys hierarchy -check -top $top
yosys synth -flatten -top $top
# qflow passes names through the C shell and through formats without quotes: what is inside gets names of its own, and
# a port, whose name must stay, has to have a plain one.
yosys rename -hide
yosys tee -q -o pnr/ports.txt select -list x:*
foreach port [lines_of pnr/ports.txt] {
    if {$port eq ""} { error "there is nothing to lay out in $top" }
    set name [string range $port [expr {[string length $top] + 1}] end]
    if {![regexp {^[A-Za-z_][A-Za-z0-9_]*$} $name]} {
        error "the placer takes ports of letters, digits and _ only, not $name"
    }
}
yosys rename -enumerate -pattern inner_%
yosys write_verilog -noattr $::env(PNR_OUT)
