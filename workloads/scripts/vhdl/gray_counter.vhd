-- A counter in Gray code: one bit changes with every step. HAS_BUG plants one, when the count wraps.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity gray_counter is
    generic (WIDTH : positive := 4; HAS_BUG : boolean := false);
    port (
        clk, reset, enable : in  std_logic;
        gray               : out std_logic_vector(WIDTH - 1 downto 0)
    );
end entity;

architecture rtl of gray_counter is
    signal count : unsigned(WIDTH - 1 downto 0) := (others => '0');
begin
    process (clk)
    begin
        if rising_edge(clk) then
            if reset = '1' then
                count <= (others => '0');
            elsif enable = '1' then
                count <= count + 1;
                if HAS_BUG and count = 2 ** WIDTH - 1 then
                    count <= to_unsigned(2, WIDTH);
                end if;
            end if;
        end if;
    end process;

    gray <= std_logic_vector(count xor ('0' & count(WIDTH - 1 downto 1)));
end architecture;
