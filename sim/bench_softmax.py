# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/softmax_row.sv against the golden functions.

Each instruction fills the table of exponentials anew. Its first row holds every difference there
is, so all entries of all copies are looked at.
"""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.numerics.fixed_point import INT8_MAX, MAX_SHIFT, Ratio, scale_ratio
from hwgen.numerics.piecewise import reciprocal
from hwgen.numerics.softmax import softmax
from sim.lanes import idle, pack, start_clock, unpack

MAX_ROWS = 64
MEMORY = 1
ROW_LEAD = 2
SOFTMAX = 2
FILL = 1 + 255 + 9
SAME_ROW = 3

MULTIPLIERS = (0, 1, 64, 700, 1477, 4096, 16384, 23637, 65535)


def _lanes(dut: Any) -> int:
    return len(dut.exponentials) // 8


def _latencies(lanes: int) -> tuple[int, int]:
    """Cycles from scores to their maximum, and from scores to their ratio."""
    tree, accumulator, root, scale = int(np.log2(lanes)), 2, 9, 3
    return 1 + tree + accumulator, SOFTMAX + tree + accumulator + root + scale


def _passes(
    rng: np.random.Generator, rows: int, slices: int, gaps: float, start: np.ndarray
) -> dict[int, tuple[int, int]]:
    """The row and slice of each cycle: rows inside, each not before its ``start``."""
    visits: dict[int, tuple[int, int]] = {}
    earliest = start.copy()
    cycle = 0
    for part in range(slices):
        for row in range(rows):
            cycle = max(cycle, int(earliest[row]))
            while rng.random() < gaps:
                cycle += 1
            visits[cycle] = (row, part)
            earliest[row] = cycle + SAME_ROW
            cycle += 1
    return visits


async def _run(
    dut: Any, rng: np.random.Generator, scores: np.ndarray, multiplier: int, output: Ratio
) -> None:
    """One head: fill, scores in, exponentials out."""
    rows, keys = scores.shape
    lanes = _lanes(dut)
    maximum, ratio = _latencies(lanes)
    slices = -(-keys // lanes)
    # What stands in lanes beyond the last key must not matter.
    padded = rng.integers(-INT8_MAX, INT8_MAX + 1, (rows, slices * lanes))
    padded[:, :keys] = scores
    padded = padded.reshape(rows, slices, lanes)
    expected = np.zeros(padded.shape, np.int64)
    flat = expected.reshape(rows, -1)
    flat[:, :keys], sums = softmax(scores, multiplier)
    factors, shifts = scale_ratio(*reciprocal(sums), output)
    valid_keys = [min(lanes, keys - lanes * part) for part in range(slices)]

    gaps = float(rng.choice([0, 0.3]))
    writes = _passes(rng, rows, slices, gaps, np.zeros(rows, np.int64))
    ready = np.full(rows, FILL)
    for cycle, (row, _) in writes.items():
        ready[row] = max(ready[row], cycle + maximum + MEMORY)
    reads = _passes(rng, rows, slices, gaps, ready)

    dut.output_multiplier.value = output.multiplier
    dut.output_shift.value = output.shift
    dut.exponent_multiplier.value = multiplier
    ratios = 0
    for cycle in range(max(reads) + ROW_LEAD + ratio + 1):
        dut.fill.value = int(cycle == 0)
        write = writes.get(cycle)
        dut.score_valid.value = int(write is not None)
        if write is not None:
            row, part = write
            dut.score_row.value = row
            dut.score_first.value = int(part == 0)
            dut.score_keys.value = valid_keys[part]
            dut.new_scores.value = pack(padded[write], 8)
        if cycle in reads:
            dut.vector_row.value = reads[cycle][0]
        read = reads.get(cycle - ROW_LEAD)
        dut.vector_valid.value = int(read is not None)
        if read is not None:
            part = read[1]
            dut.first.value = int(part == 0)
            dut.last.value = int(part == slices - 1)
            dut.keys.value = valid_keys[part]
            dut.scores.value = pack(padded[read], 8)
        await RisingEdge(dut.clk)
        if cycle > 0:
            assert int(dut.ready.value) == (cycle >= FILL), cycle
        done = reads.get(cycle - ROW_LEAD - SOFTMAX)
        if done is not None:
            found = unpack(dut.exponentials.value, lanes, "u1")
            assert (found == expected[done]).all(), (multiplier, done, found, expected[done])
        done = reads.get(cycle - ROW_LEAD - ratio)
        finished = done is not None and done[1] == slices - 1
        assert bool(dut.ratio_valid.value) == finished
        if done is not None and finished:
            row = done[0]
            assert int(dut.ratio_row.value) == row
            assert int(dut.multiplier.value) == factors[row]
            assert int(dut.shift.value) == shifts[row]
            ratios += 1
    assert ratios == rows


async def _start(dut: Any) -> None:
    start_clock(dut)
    dut.reset.value = 1
    dut.fill.value = 0
    dut.score_valid.value = 0
    dut.vector_valid.value = 0
    await idle(dut, max(_latencies(_lanes(dut))))
    dut.reset.value = 0


@cocotb.test()
async def all_differences(dut: Any) -> None:
    """Every difference, for steep and for flat tables."""
    rng = np.random.default_rng(0)
    await _start(dut)
    every = np.arange(INT8_MAX, -INT8_MAX - 1, -1)
    for multiplier in (*MULTIPLIERS, *rng.integers(0, 1 << 16, 12)):
        scores = rng.permutation(every)[None]
        await _run(dut, rng, scores, int(multiplier), Ratio(40000, 16))


@cocotb.test()
async def random_rows(dut: Any) -> None:
    """Rows of many lengths, equal scores, and output ratios at their limits."""
    rng = np.random.default_rng(1)
    await _start(dut)
    limits = [Ratio(65535, 1), Ratio(65535, MAX_SHIFT), Ratio(1, 1), Ratio(1, MAX_SHIFT)]
    for case in range(25):
        rows, keys = int(rng.integers(1, MAX_ROWS + 1)), int(rng.integers(1, 100))
        size = int(rng.choice([1, 20, INT8_MAX]))
        scores = rng.integers(-size, size + 1, (rows, keys))
        scores[0] = rng.choice([-INT8_MAX, INT8_MAX])
        output = limits[case] if case < len(limits) else Ratio(int(rng.integers(1 << 16)), 15)
        await _run(dut, rng, scores, int(rng.choice(MULTIPLIERS)), output)
