# A layout in Magic: read, checked against the rules, drawn, and extracted to SPICE. Run it after layout/drc.tcl, in a
# folder of its own. All values come as variables; Tcl passes each on as one word, so none is read as a command.
#
# Needs LAYOUT_FILE, LAYOUT_FORMAT (mag, def, gds, cif), LAYOUT_TOP, LAYOUT_LEF.
set file $::env(LAYOUT_FILE)
set top $::env(LAYOUT_TOP)
drc off
switch $::env(LAYOUT_FORMAT) {
    mag { addpath [file dirname $file] }
    def { lef read $::env(LAYOUT_LEF); def read $file }
    gds { gds read $file }
    cif { cif read [file rootname $file] }
}
# Magic takes a cell that does not exist for a new one, which breaks no rule.
set is_known [expr {$::env(LAYOUT_FORMAT) eq "mag" || [lsearch -exact [cellname list allcells] $top] >= 0}]
if {!$is_known} { puts "LAYOUT error: there is no cell $top in the layout" }
load $top
select top cell
expand
# In GDS and CIF a port is a text and nothing more.
if {$::env(LAYOUT_FORMAT) in {gds cif}} { port makeall }
puts "LAYOUT box [box values]"
report_rules
drc off
extract all
ext2spice hierarchy on
ext2spice format ngspice
ext2spice scale off
ext2spice renumber off
ext2spice cthresh infinite
ext2spice rthresh infinite
ext2spice blackbox on
ext2spice subcircuit top on
ext2spice global off
ext2spice -o extracted.spice
save_drawing $top
puts "LAYOUT complete"
quit -noprompt
