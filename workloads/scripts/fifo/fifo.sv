// A synchronous first-in first-out buffer that reports its exact fill level.
//
// rdata shows the oldest word while the buffer is not empty (first word falls through).
// A push while full and a pop while empty are ignored.
//
// Two bugs can be planted, so that a regression has something to find:
//   BUG_LEVEL   a pop that meets a push in an almost full buffer is not counted: level is one too high
//   BUG_DATA    a push into the last slot that meets a pop stores the inverted word

`timescale 1ns / 1ps

module fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 8,  // a power of two
    localparam int ADDRESS = $clog2(DEPTH)
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic             push,
    input  logic             pop,
    input  logic [WIDTH-1:0] wdata,
    output logic [WIDTH-1:0] rdata,
    output logic             full,
    output logic             empty,
    output logic [ADDRESS:0] level
);

    logic [WIDTH-1:0] storage[DEPTH];

    // One bit more than an address: equal addresses mean empty when the top bits agree, full when not.
    logic [ADDRESS:0] write_pointer;
    logic [ADDRESS:0] read_pointer;

    wire do_push = push && !full;
    wire do_pop = pop && !empty;

    assign empty = write_pointer == read_pointer;
    assign full = write_pointer == {~read_pointer[ADDRESS], read_pointer[ADDRESS-1:0]};
    assign rdata = storage[read_pointer[ADDRESS-1:0]];

    always_ff @(posedge clk) begin
        if (do_push) storage[write_pointer[ADDRESS-1:0]] <= wdata;
`ifdef BUG_DATA
        if (do_push && do_pop && write_pointer[ADDRESS-1:0] == DEPTH - 1)
            storage[write_pointer[ADDRESS-1:0]] <= ~wdata;
`endif
    end

    always_ff @(posedge clk or negedge rst_n) begin
        if (!rst_n) begin
            write_pointer <= '0;
            read_pointer <= '0;
            level <= '0;
        end else begin
            if (do_push) write_pointer <= write_pointer + 1'b1;
            if (do_pop) read_pointer <= read_pointer + 1'b1;
            if (do_push && !do_pop) level <= level + 1'b1;
            if (do_pop && !do_push) level <= level - 1'b1;
`ifdef BUG_LEVEL
            if (do_push && do_pop && level == DEPTH - 1) level <= level + 1'b1;
`endif
        end
    end

`ifdef FORMAL
    // Together these are an inductive invariant: level is the distance of the pointers and never passes DEPTH.
    logic started = 1'b0;
    always_ff @(posedge clk) started <= 1'b1;
    always_comb if (!started) assume (!rst_n);
    always_comb
        if (started) begin
            assert (level == write_pointer - read_pointer);
            assert (level <= DEPTH);
            assert (full == (level == DEPTH));
            assert (empty == (level == 0));
            cover (full);
        end
`endif

endmodule
