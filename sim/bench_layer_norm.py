# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/row_statistics.sv and normaliser.sv against the golden function.

Slices of a matrix pass the statistics with random gaps; each row is read back, slice by slice, as
soon as its entry may be.
"""

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.numerics.fixed_point import INT16_MAX, Ratio
from hwgen.numerics.layer_norm import NormaliseConstants, mean_multiplier, normalise
from sim.lanes import idle, pack, start_clock, unpack

ROW_UNIT = 18
MEMORY = 1
ROW_LEAD = 2
NORMALISE = 4
SAME_ROW = 3
"""Cycles between two vectors of a row that the statistics need."""


@dataclass(frozen=True)
class Case:
    x: np.ndarray  # (rows, columns)
    constants: NormaliseConstants

    def slices(self, lanes: int) -> np.ndarray:
        """(rows, slices, lanes), zero beyond the last column."""
        rows, columns = self.x.shape
        padded = np.zeros((rows, -(-columns // lanes) * lanes), np.int64)
        padded[:, :columns] = self.x
        return padded.reshape(rows, -1, lanes)


async def _run(dut: Any, rng: np.random.Generator, case: Case, gaps: float) -> None:
    lanes = len(dut.results) // 8
    statistics = 4 + int(np.log2(lanes))
    slices = case.slices(lanes)
    rows, count, _ = slices.shape
    flat = slices.reshape(rows, -1)
    expected = normalise(flat, case.constants).reshape(slices.shape)
    totals, squares = flat.sum(axis=1), (flat * flat).sum(axis=1)

    # Vectors of the residual stream, slice after slice; `ready` is when a row may be read.
    writes: dict[int, tuple[int, int]] = {}
    ready = np.zeros(rows, np.int64)
    cycle = 0
    before = np.full(rows, -SAME_ROW)
    for part in range(count):
        for row in range(rows):
            cycle = max(cycle, before[row] + SAME_ROW)
            while rng.random() < gaps:
                cycle += 1
            writes[cycle] = (row, part)
            before[row] = cycle
            ready[row] = cycle + statistics + ROW_UNIT + MEMORY
            cycle += 1
    reads: dict[int, tuple[int, int]] = {}
    cycle = 0
    for part in range(count):
        for row in range(rows):
            cycle = max(cycle, int(ready[row]))
            reads[cycle] = (row, part)
            cycle += 1

    constants = case.constants
    dut.columns.value = constants.columns
    dut.mean_multiplier.value = constants.mean_multiplier
    dut.epsilon.value = constants.epsilon
    dut.normalise_multiplier.value = constants.output.multiplier
    dut.normalise_shift.value = constants.output.shift
    dut.vector_valid.value = 0
    await idle(dut, statistics + ROW_UNIT)
    measured = 0
    for cycle in range(max(reads) + ROW_LEAD + NORMALISE + 1):
        write = writes.get(cycle)
        dut.vector_valid.value = int(write is not None)
        if write is not None:
            row, part = write
            dut.vector_row.value = row
            dut.first.value = int(part == 0)
            dut.last.value = int(part == count - 1)
            dut.values.value = pack(slices[row, part], 16)
        if cycle in reads:
            dut.read_row.value = reads[cycle][0]
        if cycle - ROW_LEAD in reads:
            dut.read_values.value = pack(slices[reads[cycle - ROW_LEAD]], 16)
        await RisingEdge(dut.clk)
        if dut.statistics_valid.value:
            row = int(dut.statistics_row.value)
            assert row == measured
            assert ready[row] == cycle + ROW_UNIT + MEMORY
            assert dut.total.value.to_signed() == totals[row]
            assert int(dut.squares.value) == squares[row]
            measured += 1
        done = cycle - ROW_LEAD - NORMALISE
        if done in reads:
            found = unpack(dut.results.value, lanes, "i1")
            assert (found == expected[reads[done]]).all(), (reads[done], found)
    assert measured == rows


def _constants(columns: int, epsilon: int) -> NormaliseConstants:
    """Such that a value one standard deviation from the mean becomes about 80."""
    value = columns * 80 / 64  # columns / (64 * output scale)
    shift = 16 - int(np.ceil(np.log2(value)))
    output = Ratio(min(round(value * 2.0**shift), 65535), max(shift, 1))
    return NormaliseConstants(columns, mean_multiplier(columns), epsilon, output)


@cocotb.test()
async def random_rows(dut: Any) -> None:
    """Rows of many widths and sizes, the padding of the last slice zero."""
    rng = np.random.default_rng(0)
    start_clock(dut)
    for _ in range(30):
        rows, columns = int(rng.integers(1, 30)), int(rng.integers(2, 200))
        size = int(rng.choice([3, 300, INT16_MAX]))
        x = rng.integers(-size, size + 1, (rows, columns)) + int(rng.integers(-size, size + 1))
        x = np.clip(x, -INT16_MAX, INT16_MAX)
        x[rng.random(rows) < 0.1] = 0
        epsilon = int(rng.choice([0, 1, 1000, 1 << 40]))
        case = Case(x, _constants(columns, epsilon))
        await _run(dut, rng, case, gaps=float(rng.choice([0, 0.3])))


@cocotb.test()
async def extreme_rows(dut: Any) -> None:
    """The widest rows with the largest values, constant rows, and constants at their limits."""
    rng = np.random.default_rng(1)
    start_clock(dut)
    columns = 65535
    x = np.full((3, columns), INT16_MAX)
    x[1] *= -1
    x[2, ::2] *= -1
    await _run(dut, rng, Case(x, _constants(columns, 1 << 61)), gaps=0)
    for multiplier, shift in ((65535, 1), (32768, 1), (65535, 47), (1, 1), (1, 47)):
        for epsilon in (0, (1 << 62) - 1):
            x = rng.integers(-INT16_MAX, INT16_MAX + 1, (5, 33))
            x[0], x[1], x[2] = INT16_MAX, -INT16_MAX, 0
            output = Ratio(multiplier, shift)
            constants = NormaliseConstants(33, mean_multiplier(33), epsilon, output)
            await _run(dut, rng, Case(x, constants), gaps=0.2)
