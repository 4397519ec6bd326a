# Synthesis for iCE40 with Yosys. All values come as variables and files; Tcl passes each on as one word, so none is
# read as a command.
#
# Needs fpga/sources.txt, fpga/defines.txt and FPGA_TOP, FPGA_DEVICE.
proc lines_of {path} {
    set file [open $path]
    set lines [split [string trimright [read $file] "\n"] "\n"]
    close $file
    return $lines
}

set options [list -sv -I design]
foreach define [lines_of fpga/defines.txt] {
    if {$define ne ""} { lappend options -D $define }
}
yosys read_verilog {*}$options {*}[lines_of fpga/sources.txt]
set target [list -top $::env(FPGA_TOP)]
# Only UltraPlus parts have multipliers.
if {[string match u* $::env(FPGA_DEVICE)]} { lappend target -dsp }
yosys synth_ice40 {*}$target
yosys tee -q -o netlist/stat.txt stat
yosys write_json netlist/design.json
