# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/sigmoid_lane.sv against the golden function, over all its inputs."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.estimate.latency import SIGMOID
from hwgen.numerics.sigmoid import sigmoid
from sim.lanes import start_clock


@cocotb.test()
async def all_inputs(dut: Any) -> None:
    """Every byte, one a cycle; int8 pixels may be -128, and any byte may be taken for a score."""
    inputs = np.arange(-128, 128)
    expected = sigmoid(inputs)
    start_clock(dut)
    for step in range(len(inputs) + SIGMOID):
        dut.x.value = int(inputs[min(step, len(inputs) - 1)])
        await RisingEdge(dut.clk)
        if step >= SIGMOID:
            assert int(dut.result.value) == expected[step - SIGMOID], inputs[step - SIGMOID]
