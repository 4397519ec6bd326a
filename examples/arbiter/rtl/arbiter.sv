// A round-robin arbiter: of several that ask, the next one after the last winner gets the grant.
//
// BUG_UNFAIR plants a bug: the turn is forgotten when the last requester wins, so the first ones win more often.

`timescale 1ns / 1ps

module arbiter #(
    parameter int N = 4
) (
    input  logic         clk,
    input  logic         rst_n,
    input  logic [N-1:0] request,
    output logic [N-1:0] grant
);

    // The requester whose turn it is: it wins if it asks, else the nearest one after it that does.
    logic [$clog2(N)-1:0] turn;
    logic [$clog2(N)-1:0] winner;
    logic                 any;

    integer offset;

    always @* begin
        any = 1'b0;
        winner = turn;
        for (offset = N - 1; offset >= 0; offset = offset - 1) begin
            if (request[(turn + offset) % N]) begin
                any = 1'b1;
                winner = (turn + offset) % N;
            end
        end
        grant = any ? {{(N - 1) {1'b0}}, 1'b1} << winner : {N{1'b0}};
    end

    always_ff @(posedge clk or negedge rst_n) begin
        if (!rst_n) turn <= '0;
        else if (any) turn <= (winner + 1) % N;
`ifdef BUG_UNFAIR
        if (rst_n && any && winner == N - 1) turn <= 1;
`endif
    end

endmodule
