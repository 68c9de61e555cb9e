# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/row_sums.sv against numpy."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.estimate.latency import ROW_SUMS
from hwgen.numerics.fixed_point import INT16_MAX
from hwgen.numerics.mean import MOST_ROWS
from sim.lanes import pack, start_clock

SUM_BITS = 27


def _sums(dut: Any, lanes: int) -> np.ndarray:
    word = int(dut.sums.value)
    raw = np.array([word >> (SUM_BITS * lane) & ((1 << SUM_BITS) - 1) for lane in range(lanes)])
    return np.where(raw >> (SUM_BITS - 1), raw - (1 << SUM_BITS), raw)


async def _run(dut: Any, vectors: np.ndarray, add: np.ndarray, valid: np.ndarray) -> None:
    """One sum. Vectors that are not valid may be marked as first or as added.

    Args:
        vectors: int16 (cycles, lanes).
        add, valid: bool (cycles,), the first of ``valid`` set.
    """
    totals = (vectors * (add & valid)[:, None]).cumsum(axis=0)
    for step in range(len(vectors) + ROW_SUMS):
        given = step < len(vectors)
        dut.valid.value = int(given and valid[step])
        dut.first.value = int(step == 0 or (given and not valid[step]))
        dut.add.value = int(given and add[step])
        if given:
            dut.values.value = pack(vectors[step], 16)
        await RisingEdge(dut.clk)
        if step >= ROW_SUMS:
            assert (_sums(dut, vectors.shape[1]) == totals[step - ROW_SUMS]).all(), step


@cocotb.test()
async def random_rows(dut: Any) -> None:
    """Some rows are added, some not, the first among them; gaps."""
    rng = np.random.default_rng(0)
    lanes = len(dut.values) // 16
    start_clock(dut)
    for rows, gaps in ((1, 0.0), (2, 0.0), (50, 0.0), (300, 0.4)):
        for share in (0.0, 0.5, 1.0):
            vectors = rng.integers(-INT16_MAX, INT16_MAX + 1, (rows, lanes))
            valid = rng.random(rows) >= gaps
            valid[0] = True
            await _run(dut, vectors, rng.random(rows) < share, valid)


@cocotb.test()
async def the_largest_sums(dut: Any) -> None:
    """As many rows as a mean may have, all of them at their limits."""
    lanes = len(dut.values) // 16
    start_clock(dut)
    for sign in (1, -1):
        vectors = np.full((MOST_ROWS, lanes), sign * INT16_MAX)
        vectors[:, ::2] *= -1
        always = np.ones(MOST_ROWS, bool)
        await _run(dut, vectors, always, always)
