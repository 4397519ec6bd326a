-- Checks the Gray counter in every cycle against a number; when it counts is drawn at random.
--
--   seed   where the random sequence starts
--   n      cycles to drive
library ieee;
use ieee.std_logic_1164.all;
use ieee.math_real.all;

entity gray_counter_tb is
    generic (seed : natural := 1; n : positive := 200; HAS_BUG : boolean := false);
end entity;

architecture sim of gray_counter_tb is
    constant WIDTH : positive := 4;

    signal clk, enable : std_logic := '0';
    signal reset       : std_logic := '1';
    signal gray        : std_logic_vector(WIDTH - 1 downto 0);

    function binary(gray : std_logic_vector) return natural is
        variable value : natural := 0;
        variable bit_above : std_logic := '0';
    begin
        for index in gray'range loop
            bit_above := bit_above xor gray(index);
            value := 2 * value;
            if bit_above = '1' then
                value := value + 1;
            end if;
        end loop;
        return value;
    end function;
begin
    clk <= not clk after 5 ns;

    counter : entity work.gray_counter
        generic map (WIDTH => WIDTH, HAS_BUG => HAS_BUG)
        port map (clk => clk, reset => reset, enable => enable, gray => gray);

    process
        variable first    : positive := seed + 1;
        variable second   : positive := 1;
        variable drawn    : real;
        variable expected : natural := 0;
        variable steps    : natural := 0;
    begin
        wait until falling_edge(clk);
        reset <= '0';
        for cycle in 1 to n loop
            uniform(first, second, drawn);
            enable <= '1' when drawn < 0.5 else '0';
            wait until falling_edge(clk);
            if enable = '1' then
                expected := (expected + 1) mod 2 ** WIDTH;
                steps := steps + 1;
            end if;
            assert binary(gray) = expected
                report "count mismatch: got " & integer'image(binary(gray)) & " expected " & integer'image(expected)
                severity error;
        end loop;
        report "TB_STAT cycles=" & integer'image(n) & " steps=" & integer'image(steps);
        report "TEST PASSED CHECKS";
        std.env.finish;
    end process;
end architecture;
