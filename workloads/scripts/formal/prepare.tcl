# From sources to a transition system for an SMT solver, with Yosys. All values come as variables and files; Tcl
# passes each on as one word, so none is read as a command.
#
# Needs formal/sources.txt, formal/defines.txt and FORMAL_TOP.
proc lines_of {path} {
    set file [open $path]
    set lines [split [string trimright [read $file] "\n"] "\n"]
    close $file
    return $lines
}

set options [list -sv -formal -I design]
foreach define [lines_of formal/defines.txt] {
    if {$define ne ""} { lappend options -D $define }
}
yosys read_verilog {*}$options {*}[lines_of formal/sources.txt]
yosys hierarchy -check -top $::env(FORMAL_TOP)
yosys prep -flatten -top $::env(FORMAL_TOP)
# Registers with an asynchronous reset become synchronous ones with the same values at every clock edge.
yosys async2sync
yosys dffunmap
yosys write_smt2 -wires formal/model.smt2
