"""Checks the arbiter in every cycle: one grant at most, only to who asked, and nobody waits for N grants."""
# ruff: noqa: INP001, S101, S311 - a bench asserts and draws at random

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

N = 4


async def check(dut: Any, percent: int) -> None:  # noqa: ANN401 - made from the design
    """Ask with this probability in every cycle; who asks goes on asking until it is granted."""
    dut.rst_n.value = dut.request.value = 0
    Clock(dut.clk, 10, "ns").start()
    await FallingEdge(dut.clk)
    dut.rst_n.value = 1
    asking: set[int] = set()
    waited = [0] * N
    for _ in range(int(cocotb.plusargs.get("n", 1000))):
        asking |= {who for who in range(N) if random.randrange(100) < percent}
        dut.request.value = sum(1 << who for who in asking)
        await Timer(1, "ns")
        grant = dut.grant.value.to_unsigned()
        winners = {who for who in range(N) if grant >> who & 1}
        assert len(winners) == (1 if asking else 0)
        assert winners <= asking
        waited = [waited[who] + 1 if who in asking - winners else 0 for who in range(N)]
        assert max(waited) < N, (
            f"unfair: requester {waited.index(max(waited))} waits for {max(waited)} grants"
        )
        await FallingEdge(dut.clk)
        asking -= winners


@cocotb.test()
async def busy(dut: Any) -> None:  # noqa: ANN401
    """Everybody asks almost all the time."""
    await check(dut, 95)


@cocotb.test()
async def sparse(dut: Any) -> None:  # noqa: ANN401
    """Now and then somebody asks."""
    await check(dut, 25)
