# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/mean_ratio.sv against the golden function, over all its inputs."""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from hwgen.estimate.latency import MEAN_RATIO
from hwgen.numerics.mean import MOST_ROWS, mean_ratio
from sim.lanes import start_clock

GAP = 4
"""Cycles without a count, in which the last result has to stay."""


async def _check(dut: Any, counts: list[int | None]) -> None:
    """One of ``counts`` a cycle, None for no start."""
    last = None
    for step in range(len(counts) + MEAN_RATIO):
        count = counts[step] if step < len(counts) else None
        dut.start.value = int(count is not None)
        dut.count.value = 0 if count is None else count
        await RisingEdge(dut.clk)
        if step < MEAN_RATIO:
            continue
        asked = counts[step - MEAN_RATIO]
        assert bool(dut.done.value) == (asked is not None), step
        last = asked or last
        if last is not None:
            expected = mean_ratio(last)
            found = int(dut.multiplier.value), int(dut.shift.value)
            assert found == (expected.multiplier, expected.shift), (last, found)


@cocotb.test()
async def all_counts(dut: Any) -> None:
    """One after the other, then with gaps."""
    start_clock(dut)
    counts = list(range(1, MOST_ROWS + 1))
    await _check(dut, [*counts])
    await _check(dut, [slot for count in counts for slot in (count, *[None] * GAP)])
