"""The FIFO's checks for cocotb: a reference model says what every cycle must show.

Python draws the numbers: a seed gives the same run on every simulator. +n=N is how many cycles to drive.
"""
# ruff: noqa: INP001, S101, S311 - a bench asserts and draws at random

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

DEPTH = 8


async def drive(dut: Any, push_percent: int, pop_percent: int) -> None:  # noqa: ANN401 - made from the design
    """Push and pop at random and compare with a queue."""
    expected: deque[int] = deque()
    dut.rst_n.value = dut.push.value = dut.pop.value = dut.wdata.value = 0
    Clock(dut.clk, 10, "ns").start()
    await FallingEdge(dut.clk)
    dut.rst_n.value = 1
    for _ in range(int(cocotb.plusargs.get("n", 1000))):
        await FallingEdge(dut.clk)
        level, oldest = dut.level.value.to_unsigned(), dut.rdata.value
        assert level == len(expected), f"level mismatch: got {level} expected {len(expected)}"
        if expected:
            assert oldest == expected[0], f"data mismatch: got {oldest} expected {expected[0]}"
        push, pop = random.randrange(100) < push_percent, random.randrange(100) < pop_percent
        word = random.randrange(256)
        dut.push.value, dut.pop.value, dut.wdata.value = push, pop, word
        had = len(expected)
        if pop and had:
            expected.popleft()
        if push and had < DEPTH:
            expected.append(word)


@cocotb.test()
async def balanced(dut: Any) -> None:  # noqa: ANN401 - made from the design
    """As many pushes as pops."""
    await drive(dut, 50, 50)


@cocotb.test()
async def nearly_full(dut: Any) -> None:  # noqa: ANN401
    """Pushes that meet pops in a buffer that is almost full."""
    await drive(dut, 80, 50)
