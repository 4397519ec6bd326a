// A wave of light over eight LEDs: each is on for as long as its part of a triangle says.
module blinky #(parameter WIDTH = 26) (input clk, output reg [7:0] led);
    reg [WIDTH-1:0] count = 0;
    reg [7:0] phase;
    integer i;

    always @(posedge clk) begin
        count <= count + 1;
        for (i = 0; i < 8; i = i + 1) begin
            phase = count[WIDTH-1 -: 8] + 32 * i;
            led[i] <= (phase[7] ? ~phase[6:0] : phase[6:0]) > count[6:0];
        end
    end
endmodule
