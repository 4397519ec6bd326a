// A self-checking bench for the FIFO: a reference model says what every cycle must show.
//
//   +test=random|burst|drain   how pushes and pops are drawn
//   +seed=N                    where the random sequence starts: same seed, same simulator, same run
//   +n=N                       cycles to drive
//   +waves=FILE                write a waveform
//
// Ends with TEST PASSED CHECKS, or with the first mismatch and TEST FAILED CHECKS.

`timescale 1ns / 1ps

module tb;

    localparam int WIDTH = 8;
    localparam int DEPTH = 8;

    logic clk = 1'b0;
    logic rst_n = 1'b0;
    logic push = 1'b0;
    logic pop = 1'b0;
    logic [WIDTH-1:0] wdata = '0;
    logic [WIDTH-1:0] rdata;
    logic full;
    logic empty;
    logic [$clog2(DEPTH):0] level;

    fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) dut (.*);

    always #5 clk = ~clk;

    // The reference: `count` words in a ring, the oldest at `oldest`.
    logic [WIDTH-1:0] words[0:DEPTH-1];
    int oldest = 0;
    int count = 0;
    bit do_push;
    bit do_pop;

    reg [8*32-1:0] test;
    reg [8*1024-1:0] waves;
    int seed;
    int n;
    int random_state;
    int cycles = 0;
    int pushes = 0;
    int pops = 0;
    int push_percent = 50;
    int pop_percent = 50;

    initial begin
        if (!$value$plusargs("test=%s", test)) test = "random";
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        if (!$value$plusargs("n=%d", n)) n = 1000;
        if ($value$plusargs("waves=%s", waves)) begin
            $dumpfile(waves);
            $dumpvars(0, tb);
        end
        random_state = seed;
        $display("TB_START test=%0s seed=%0d n=%0d", test, seed, n);
        if (test != "random" && test != "burst" && test != "drain") begin
            $display("TB_ERROR [TEST] t=%0t there is no test of this name", $time);
            finish_failed;
        end
        repeat (2) @(negedge clk);
        rst_n = 1'b1;
        repeat (n) begin
            @(negedge clk);
            check;
            draw;
            note;
            cycles = cycles + 1;
        end
        finish_passed;
    end

    // What the outputs must show now, before the next rising edge.
    task check;
        if (level != count) begin
            $display("TB_ERROR [LEVEL] t=%0t level mismatch: got %0d expected %0d", $time, level, count);
            finish_failed;
        end
        if (empty != (count == 0) || full != (count == DEPTH)) begin
            $display("TB_ERROR [FLAGS] t=%0t flags mismatch: empty %b full %b with %0d words", $time, empty, full,
                     count);
            finish_failed;
        end
        if (count != 0 && rdata !== words[oldest]) begin
            $display("TB_ERROR [SCOREBOARD] t=%0t data mismatch: got %0d expected %0d", $time, rdata,
                     words[oldest]);
            finish_failed;
        end
    endtask

    // What to drive into the next rising edge.
    task draw;
        if (test == "burst") begin
            if (full) {push_percent, pop_percent} = {32'd15, 32'd85};
            if (empty) {push_percent, pop_percent} = {32'd85, 32'd15};
        end
        if (test == "drain") begin
            // Fill and empty strictly in turn; a push meets a pop only now and then.
            if (full) {push_percent, pop_percent} = {32'd0, 32'd100};
            if (empty) {push_percent, pop_percent} = {32'd100, 32'd0};
            if (cycles == 0) {push_percent, pop_percent} = {32'd100, 32'd0};
        end
        push = percent(push_percent) || (test == "drain" && pop_percent == 100 && percent(1));
        pop = percent(pop_percent);
        wdata = $random(random_state);
    endtask

    // What the reference holds after that edge.
    task note;
        do_push = push && count < DEPTH;
        do_pop = pop && count > 0;
        if (do_pop) begin
            oldest = (oldest + 1) % DEPTH;
            count = count - 1;
            pops = pops + 1;
        end
        if (do_push) begin
            words[(oldest + count) % DEPTH] = wdata;
            count = count + 1;
            pushes = pushes + 1;
        end
    endtask

    function bit percent(input int chance);
        percent = ($random(random_state) & 32'h7fffffff) % 100 < chance;
    endfunction

    task finish_passed;
        $display("TB_STAT cycles=%0d pushes=%0d pops=%0d", cycles, pushes, pops);
        $display("TEST PASSED CHECKS");
        $finish(0);
    endtask

    task finish_failed;
        $display("TB_STAT cycles=%0d pushes=%0d pops=%0d", cycles, pushes, pops);
        $display("TEST FAILED CHECKS");
        $fatal(0);
    endtask

endmodule
