# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/gelu_lane.sv against the golden function, over all its inputs."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.numerics.fixed_point import Ratio
from hwgen.numerics.gelu import GeluConstants, gelu_constants, gelu_int8
from sim.lanes import idle, pack, start_clock, unpack

LANES = 16
LATENCY = 11
EVERY = np.arange(-32767, 32768)

CASES = {
    "delta 1": (gelu_constants(1.0), Ratio(40000, 21)),
    "delta 0.5": (gelu_constants(0.5), Ratio(65535, 20)),
    "power of two": (gelu_constants(0.3), Ratio(1, 6)),
    "largest constants": (GeluConstants(65535, 65535), Ratio(33000, 25)),
}


@cocotb.test()
@cocotb.parametrize(case=list(CASES))
async def all_inputs(dut: Any, case: str) -> None:
    """Every input, one vector a cycle."""
    constants, output = CASES[case]
    inputs = np.append(EVERY, 0)
    expected = gelu_int8(inputs, constants, output).reshape(-1, LANES)
    vectors = inputs.reshape(-1, LANES)
    start_clock(dut)
    dut.one.value = constants.one
    dut.slope.value = constants.slope
    dut.multiplier.value = output.multiplier
    dut.shift.value = output.shift
    await idle(dut, 1)
    for step in range(len(vectors) + LATENCY):
        if step < len(vectors):
            dut.values.value = pack(vectors[step], 16)
        await RisingEdge(dut.clk)
        if step >= LATENCY:
            found = unpack(dut.results.value, LANES, "i1")
            assert (found == expected[step - LATENCY]).all(), (vectors[step - LATENCY], found)
