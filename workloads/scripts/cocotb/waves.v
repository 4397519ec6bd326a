// Writes the waveform of a design that cocotb drives, when it is started with +waves=FILE.
module rtl_waves;
    reg [8*1024-1:0] path;
    initial if ($value$plusargs("waves=%s", path)) begin
        $dumpfile(path);
        $dumpvars(0, `RTL_TOP);
    end
endmodule
