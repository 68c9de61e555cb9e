# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/column_pair.sv against integers."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.array_stimulus import (
    expected_sums,
    idle,
    join,
    pack_rows,
    random_traffic,
    skewed,
    steady_tiles,
)
from sim.bench_mac_array import LATENCY
from sim.lanes import pack, start_clock

CHANNELS = 2
FROM_STROBE = 1  # cycles from a strobe to what belongs to it in the first slice of a chain


@cocotb.test()
async def random_times(dut) -> None:
    """Loads and swaps at any time, extreme sums among others."""
    rng = np.random.default_rng(2)
    lanes = len(dut.weights) // 8
    bits = len(dut.sums) // CHANNELS
    latency = LATENCY[lanes]
    stimulus = join(
        steady_tiles(rng, lanes, CHANNELS, tiles=100),
        random_traffic(rng, lanes, 1500, CHANNELS, swaps=0.3),
        idle(latency, lanes),
    )
    expected = expected_sums(stimulus, CHANNELS)
    rows = pack_rows(skewed(stimulus.rows, FROM_STROBE))
    weights = pack_rows(skewed(stimulus.weights, FROM_STROBE))
    start_clock(dut)
    for cycle in range(len(stimulus)):
        dut.activations.value = rows[cycle]
        dut.weights.value = weights[cycle]
        dut.swap.value = int(stimulus.swap[cycle])
        dut.load_even.value = int(stimulus.load[cycle] and stimulus.channel[cycle] == 0)
        dut.load_odd.value = int(stimulus.load[cycle] and stimulus.channel[cycle] == 1)
        await RisingEdge(dut.clk)
        due = cycle - latency
        if due >= 0 and stimulus.row_valid[due]:
            found = dut.sums.value.to_unsigned()
            assert found == pack(expected[due], bits), (due, found, expected[due])
