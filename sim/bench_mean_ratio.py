# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/mean_ratio.sv against the golden function, over all its inputs."""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from hwgen.estimate.latency import MEAN_RATIO
from hwgen.numerics.mean import MOST_ROWS, mean_ratio
from sim.lanes import start_clock

STAYS = 3
"""Cycles for which the result has to stay here; then the next count starts at once."""


async def _divide(dut: Any, count: int, cycles: int) -> None:
    """Starts a division and looks on: `done` comes in its cycle alone, the result stays."""
    expected = mean_ratio(count)
    for step in range(cycles):
        dut.start.value = int(step == 0)
        dut.count.value = count if step == 0 else 0
        await RisingEdge(dut.clk)
        if step > 0:
            assert bool(dut.done.value) == (step == MEAN_RATIO), (count, step)
        if step >= MEAN_RATIO:
            found = int(dut.multiplier.value), int(dut.shift.value)
            assert found == (expected.multiplier, expected.shift), (count, found)


@cocotb.test()
async def all_counts(dut: Any) -> None:
    start_clock(dut)
    for count in range(1, MOST_ROWS + 1):
        await _divide(dut, count, MEAN_RATIO + 1 + STAYS)


@cocotb.test()
async def a_start_ends_the_division_before(dut: Any) -> None:
    """At any of its steps."""
    start_clock(dut)
    for cycles in range(1, MEAN_RATIO + 1):
        await _divide(dut, 1543, cycles)
        await _divide(dut, 77, MEAN_RATIO + 2)
