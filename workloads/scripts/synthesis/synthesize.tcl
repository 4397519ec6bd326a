# Synthesis with Yosys: sources to a netlist of the Liberty's cells. All values come as variables and files; Tcl
# passes each on as one word, so none is read as a command.
#
# Needs synthesis/sources.txt, synthesis/defines.txt and SYN_TOP, SYN_PARAMETERS, SYN_LIBERTY, SYN_PERIOD_PS, SYN_OUT.
proc lines_of {path} {
    set file [open $path]
    set lines [split [string trimright [read $file] "\n"] "\n"]
    close $file
    return $lines
}

set top $::env(SYN_TOP)
set liberty $::env(SYN_LIBERTY)
set out $::env(SYN_OUT)

set options [list -sv -I design]
foreach define [lines_of synthesis/defines.txt] {
    if {$define ne ""} { lappend options -D $define }
}
yosys read_verilog {*}$options {*}[lines_of synthesis/sources.txt]
foreach assignment [split $::env(SYN_PARAMETERS)] {
    set parts [split $assignment =]
    yosys chparam -set [lindex $parts 0] [lindex $parts 1] $top
}
yosys hierarchy -check -top $top
yosys synth -flatten -top $top
yosys dfflibmap -liberty $liberty
# Without a driving cell and a load abc inserts no buffers, and the netlist is several times slower.
yosys abc -liberty $liberty -D $::env(SYN_PERIOD_PS) -constr synthesis/abc.constr
yosys setundef -zero
yosys splitnets
yosys opt_clean -purge
# The library's pins tell what drives what: for a check that means something, and for registers that are called after
# what they hold, so that timing paths can be read.
yosys read_liberty -lib $liberty
yosys check -mapped
yosys rename -wire
yosys tee -q -o $out/stat.txt stat -liberty $liberty -top $top
# OpenSTA reads neither attributes nor concatenations in assignments.
yosys write_verilog -noattr -noexpr -nohex -nodec $out/netlist.v
