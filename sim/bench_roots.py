# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/reciprocal.sv and inverse_sqrt.sv against the golden functions."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.numerics.piecewise import inverse_sqrt, reciprocal
from sim.lanes import pack, start_clock, unpack

LANES = 4
LATENCY = 9


async def _check(dut: Any, values: np.ndarray) -> None:
    """One vector of values a cycle; the reciprocal sees their low halves."""
    low = values & 0xFFFFFFFF
    low[low == 0] = 1
    values = (values & ~np.int64(0xFFFFFFFF)) | low
    wanted = [*reciprocal(low), *inverse_sqrt(values)]
    ports = [
        (dut.reciprocals, "<u2"),
        (dut.reciprocal_shifts, "u1"),
        (dut.inverse_roots, "<u2"),
        (dut.inverse_root_shifts, "u1"),
    ]
    steps = len(values) // LANES
    start_clock(dut)
    for step in range(steps + LATENCY):
        if step < steps:
            dut.values.value = pack(values[LANES * step :][:LANES], 64)
        await RisingEdge(dut.clk)
        if step < LATENCY:
            continue
        done = slice(LANES * (step - LATENCY), LANES * (step - LATENCY + 1))
        for (port, kind), expected in zip(ports, wanted, strict=True):
            found = unpack(port.value, LANES, kind)
            assert (found == expected[done]).all(), (port._name, values[done], found)


@cocotb.test()
async def all_mantissas(dut: Any) -> None:
    """Every number of up to 16 bits, and with them every mantissa of both functions."""
    await _check(dut, np.arange(1 << 16))


@cocotb.test()
async def all_lengths(dut: Any) -> None:
    """Numbers of every length: powers of two, their neighbours, and random ones."""
    rng = np.random.default_rng(0)
    powers = np.int64(1) << np.arange(63)
    largest = np.full(LANES, (1 << 63) - 1)
    anything = rng.integers(1 << 62, (1 << 63) - 1, 63 * 160) >> np.tile(np.arange(63), 160)
    values = np.concatenate([powers, powers - 1, powers + 1, largest, anything])
    await _check(dut, values[: len(values) // LANES * LANES])
