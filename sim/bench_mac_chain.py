# SPDX-License-Identifier: Apache-2.0
"""Bench of sim/tops/mac_chain_models.sv: a chain of behavioural slices and one of DSP48E2."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.array_stimulus import (
    CHAIN_LENGTH,
    Stimulus,
    corner_products,
    expected_sums,
    idle,
    join,
    pack_rows,
    random_traffic,
    skewed,
    steady_tiles,
)
from sim.lanes import pack, start_clock

LATENCY = CHAIN_LENGTH + 2
LANE_BITS = 18
CHANNELS = 2
MODELS = 2


@cocotb.test()
async def corners(dut) -> None:
    """Corner weights and activations, in all slices and in each alone."""
    await check(dut, corner_products(CHAIN_LENGTH))


@cocotb.test()
async def random_times(dut) -> None:
    """Loads and swaps at any time, extreme sums among others."""
    rng = np.random.default_rng(1)
    first = steady_tiles(rng, CHAIN_LENGTH, CHANNELS, tiles=200)
    await check(dut, join(first, random_traffic(rng, CHAIN_LENGTH, 4000, CHANNELS, swaps=0.3)))


async def check(dut, stimulus: Stimulus) -> None:
    """Both models give the sums of every row in the cycle in which they are due."""
    stimulus = join(stimulus, idle(LATENCY, CHAIN_LENGTH))
    expected = expected_sums(stimulus, CHANNELS)
    rows = pack_rows(skewed(stimulus.rows, 0))
    weights = pack_rows(skewed(stimulus.weights, 0))
    load_low = _strobes(stimulus.load & (stimulus.channel == 0))
    load_high = _strobes(stimulus.load & (stimulus.channel == 1))
    swap = _strobes(stimulus.swap)
    start_clock(dut)
    for cycle in range(len(stimulus)):
        dut.activations.value = rows[cycle]
        dut.weights.value = weights[cycle]
        dut.load_low.value = load_low[cycle]
        dut.load_high.value = load_high[cycle]
        dut.swap.value = swap[cycle]
        await RisingEdge(dut.clk)
        due = cycle - LATENCY
        if due >= 0 and stimulus.row_valid[due]:
            low, high = (pack([total] * MODELS, LANE_BITS) for total in expected[due])
            assert dut.sum_low.value.to_unsigned() == low, (due, expected[due])
            assert dut.sum_high.value.to_unsigned() == high, (due, expected[due])


def _strobes(strobe: np.ndarray) -> list[int]:
    """A strobe of the first slice as it reaches each slice of the chain."""
    slices = skewed(np.repeat(strobe[:, None], CHAIN_LENGTH, axis=1), 0)
    return [pack(row, 1) for row in slices]
