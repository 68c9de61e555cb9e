# SPDX-License-Identifier: Apache-2.0
"""Bench of sim/tops/mac_array_models.sv: the array against integers, its twin against the array."""

import os

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.array_stimulus import (
    expected_sums,
    idle,
    join,
    pack_rows,
    random_traffic,
    steady_tiles,
)
from sim.lanes import pack, start_clock

LATENCY = {16: 12, 32: 13, 64: 14}

TILES = int(os.environ.get("BENCH_TILES", "20"))
CYCLES = int(os.environ.get("BENCH_CYCLES", "3000"))


@cocotb.test()
async def random_times(dut) -> None:
    """Full rate, then loads, swaps, rows and resets at any time; valid is checked in each cycle."""
    rng = np.random.default_rng(3)
    lanes = len(dut.row) // 8
    bits = len(dut.sums) // lanes
    latency = LATENCY[lanes]
    stimulus = join(
        steady_tiles(rng, lanes, lanes, TILES),
        random_traffic(rng, lanes, CYCLES, lanes),
        idle(latency + 1, lanes),
    )
    reset = np.zeros(len(stimulus), bool)
    reset[-CYCLES:] = rng.random(CYCLES) < 0.01
    reset[0] = True
    expected = expected_sums(stimulus, lanes)
    rows, weights = pack_rows(stimulus.rows), pack_rows(stimulus.weights)
    start_clock(dut)
    for cycle in range(len(stimulus)):
        dut.rst.value = int(reset[cycle])
        dut.row.value = rows[cycle]
        dut.row_valid.value = int(stimulus.row_valid[cycle])
        dut.swap.value = int(stimulus.swap[cycle])
        dut.load.value = int(stimulus.load[cycle])
        dut.load_channel.value = int(stimulus.channel[cycle])
        dut.load_weights.value = weights[cycle]
        await RisingEdge(dut.clk)
        if cycle == 0:
            continue  # before the first reset
        due = cycle - latency
        valid = due >= 0 and stimulus.row_valid[due] and not reset[due:cycle].any()
        assert bool(dut.sums_valid.value) == valid, cycle
        assert not dut.twin_differs.value, cycle
        if valid:
            found = dut.sums.value.to_unsigned()
            assert found == pack(expected[due], bits), (due, found, expected[due])
