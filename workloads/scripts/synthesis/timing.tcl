# Static timing of the netlist with OpenSTA. Its exit code is always 0: only the last line says that all was done.
# Hold is not reported: before a clock tree exists the number means nothing.
#
# Needs SYN_TOP, SYN_LIBERTY, SYN_PERIOD_NS, SYN_CLOCK (empty: none), SYN_DRIVER, SYN_LOAD_PF, SYN_INPUT_DELAY_NS,
# SYN_OUTPUT_DELAY_NS, SYN_LATE_DERATE, SYN_OUT.
proc plain {name} { return [string map [list "\\\\" _ "\\" ""] $name] }

read_liberty $::env(SYN_LIBERTY)
read_verilog $::env(SYN_OUT)/netlist.v
link_design $::env(SYN_TOP)

set clock_port $::env(SYN_CLOCK)
if {$clock_port eq ""} {
    create_clock -name clock -period $::env(SYN_PERIOD_NS)
} else {
    set port [get_ports $clock_port]
    if {$port eq ""} { error "the design has no port $clock_port for the clock" }
    create_clock -name clock -period $::env(SYN_PERIOD_NS) $port
}
foreach port [all_inputs] {
    if {[get_property $port full_name] ne $clock_port} {
        set_input_delay $::env(SYN_INPUT_DELAY_NS) -clock clock $port
        set_driving_cell -lib_cell $::env(SYN_DRIVER) $port
    }
}
set_output_delay $::env(SYN_OUTPUT_DELAY_NS) -clock clock [all_outputs]
set_load $::env(SYN_LOAD_PF) [all_outputs]
set_timing_derate -late $::env(SYN_LATE_DERATE)

check_setup -no_clock -loops
report_checks -path_delay max -group_count 10 -digits 4
puts "SYN setup_worst_slack [worst_slack]"
puts "SYN setup_total_negative_slack [total_negative_slack]"
puts "SYN setup_violations [llength [find_timing_paths -path_delay max -group_count 100000 -slack_max -1e-6]]"
foreach path [find_timing_paths -path_delay max -group_count 10] {
    set from [get_property [get_property $path startpoint] full_name]
    set to [get_property [get_property $path endpoint] full_name]
    puts "SYN path [get_property $path slack] [plain $from] [plain $to]"
}
puts "SYN complete"
