# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/requantise.sv against the golden function."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from hwgen.numerics.fixed_point import MAX_SHIFT, requantise

LATENCY = 4


@cocotb.test()
async def random_and_extreme_values(dut) -> None:
    """One value a cycle; each result is compared four cycles later."""
    rng = np.random.default_rng(0)
    bits = len(dut.result)
    limit = 2 ** (bits - 1) - 1
    edge = 2**26 - 1
    accumulator = np.concatenate(
        [rng.integers(-edge, edge + 1, 4000), rng.integers(-300, 301, 4000), [edge, -edge, 0] * 200]
    )
    multiplier = rng.integers(0, 65536, len(accumulator))
    multiplier[:500] = 1
    shift = rng.integers(1, MAX_SHIFT + 1, len(accumulator))
    expected = requantise(accumulator, multiplier, shift, limit)
    Clock(dut.clk, 2, "step", impl="gpi").start()
    for i in range(len(accumulator) + LATENCY):
        if i < len(accumulator):
            dut.accumulator.value = int(accumulator[i])
            dut.multiplier.value = int(multiplier[i])
            dut.shift.value = int(shift[i])
        await RisingEdge(dut.clk)
        if i >= LATENCY:
            found = dut.result.value.to_signed()
            wanted = int(expected[i - LATENCY])
            assert found == wanted, (i, accumulator[i - LATENCY], found, wanted)
