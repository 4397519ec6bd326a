# The placed and routed design in Magic: design rules, GDS and a drawing. Run it after layout/drc.tcl.
#
# Needs PNR_TOP, PNR_LEF and to run in qflow's layout folder.
drc off
lef read $::env(PNR_LEF)
load $::env(PNR_TOP)
select top cell
expand
report_rules
gds write $::env(PNR_TOP)
save_drawing $::env(PNR_TOP)
quit -noprompt
