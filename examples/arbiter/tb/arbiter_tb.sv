// Checks the arbiter in every cycle: one grant at most, only to who asked, and no one waits for more than N grants.
//
//   +test=busy|sparse   everybody asks all the time, or now and then
//   +seed=N  +n=N  +waves=FILE

`timescale 1ns / 1ps

module arbiter_tb;

    localparam int N = 4;

    logic clk = 1'b0;
    logic rst_n = 1'b0;
    logic [N-1:0] request = '0;
    logic [N-1:0] grant;

    arbiter #(.N(N)) dut (.*);

    always #5 clk = ~clk;

    reg [8*32-1:0] test;
    reg [8*1024-1:0] waves;
    int seed;
    int n;
    int random_state;
    int percent;
    int cycles = 0;
    int grants = 0;
    int waited[0:N-1];
    int i;

    initial begin
        if (!$value$plusargs("test=%s", test)) test = "busy";
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        if (!$value$plusargs("n=%d", n)) n = 1000;
        if ($value$plusargs("waves=%s", waves)) begin
            $dumpfile(waves);
            $dumpvars(0, arbiter_tb);
        end
        random_state = seed;
        percent = test == "sparse" ? 25 : 95;
        for (i = 0; i < N; i = i + 1) waited[i] = 0;
        $display("TB_START test=%0s seed=%0d n=%0d", test, seed, n);
        repeat (2) @(negedge clk);
        rst_n = 1'b1;
        repeat (n) begin
            for (i = 0; i < N; i = i + 1)
                // Who asks goes on asking until it is granted.
                if (!request[i]) request[i] = ($random(random_state) & 32'h7fffffff) % 100 < percent;
            #1 check;
            @(negedge clk);
            request = request & ~grant;
            cycles = cycles + 1;
        end
        $display("TB_STAT cycles=%0d grants=%0d", cycles, grants);
        $display("TEST PASSED CHECKS");
        $finish(0);
    end

    task check;
        if ((grant & (grant - 1'b1)) != 0) fail_with("ONEHOT");
        if ((grant & ~request) != 0) fail_with("UNASKED");
        if (grant == 0 && request != 0) fail_with("IDLE");
        if (grant != 0) grants = grants + 1;
        for (i = 0; i < N; i = i + 1) begin
            waited[i] = request[i] && !grant[i] ? waited[i] + 1 : 0;
            if (waited[i] >= N) fail_with("UNFAIR");
        end
    endtask

    task fail_with(input [8*8-1:0] rule);
        $display("TB_ERROR [%0s] t=%0t request %b grant %b", rule, $time, request, grant);
        $display("TB_STAT cycles=%0d grants=%0d", cycles, grants);
        $display("TEST FAILED CHECKS");
        $fatal(0);
    endtask

endmodule
