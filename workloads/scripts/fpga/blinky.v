// Eight LEDs that count: the eight highest bits of a counter of WIDTH bits.
module blinky #(parameter WIDTH = 26) (input clk, output [7:0] led);
    reg [WIDTH-1:0] count = 0;
    always @(posedge clk) count <= count + 1;
    assign led = count[WIDTH-1 -: 8];
endmodule
