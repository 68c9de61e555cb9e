# SPDX-License-Identifier: Apache-2.0
"""Bench of fifo, delay, row_memory, vector_buffer and work_buffer (sim/tops/storage.sv)."""

from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.lanes import idle, start_clock

CYCLES = 3000


async def _begin(dut: Any) -> tuple[np.random.Generator, int, int]:
    start_clock(dut)
    for name in ("push_valid", "pop", "write"):
        getattr(dut, name).value = 0
    dut.reset.value = 1
    await idle(dut, 3)
    dut.reset.value = 0
    return np.random.default_rng(0), len(dut.head) // 8, int(dut.DEPTH.value)


def _word(rng: np.random.Generator, size: int) -> int:
    return int.from_bytes(rng.bytes(size), "little")


@cocotb.test()
async def queue(dut: Any) -> None:
    """First in, first out, from empty to full and back; a reset empties it."""
    rng, size, depth = await _begin(dut)
    model: deque[int] = deque()
    fullest = 0
    for cycle in range(CYCLES):
        share = 0.2 + 0.6 * (cycle // 100 % 2)  # fills, then empties
        dut.push_valid.value = int(rng.random() < share)
        dut.push.value = (pushed := _word(rng, size))
        dut.pop.value = int(rng.random() < 1 - share)
        dut.reset.value = int(cycle % 1000 == 999)
        await RisingEdge(dut.clk)
        assert int(dut.push_ready.value) == (len(model) < depth)
        assert int(dut.head_valid.value) == bool(model)
        if model:
            assert int(dut.head.value) == model[0]
        push = int(dut.push_valid.value) and len(model) < depth
        if model and int(dut.pop.value):
            model.popleft()
        if push:
            model.append(pushed)
        fullest = max(fullest, len(model))
        if int(dut.reset.value):
            model.clear()
    assert fullest == depth


@cocotb.test()
async def words_later(dut: Any) -> None:
    rng, size, _ = await _begin(dut)
    cycles = int(dut.CYCLES.value)
    sent: list[int] = []
    for _ in range(100):
        sent.append(_word(rng, size))
        dut.now.value = sent[-1]
        await RisingEdge(dut.clk)
        if len(sent) > cycles:
            assert int(dut.later.value) == sent[-1 - cycles]


@cocotb.test()
async def memories(dut: Any) -> None:
    """Reads one cycle (row_memory) and two cycles later (buffers), of words not being written.
    On the second port of the work buffer a write takes the place of a read.
    """
    rng, size, depth = await _begin(dut)
    model: list[int] = []
    for address in range(depth):
        model.append(_word(rng, size))
        dut.write.value = 1
        dut.write_address.value = address
        dut.write_vector.value = model[-1]
        await RisingEdge(dut.clk)
    # What was read in each cycle: by row or vector, and as a tile (None: the port wrote).
    reads: list[tuple[int, int | None]] = []
    for _ in range(CYCLES):
        write = int(rng.integers(2))
        at, row, tile = (int(value) for value in rng.permutation(depth)[:3])
        dut.write.value = write
        dut.write_address.value = at
        dut.write_vector.value = (written := _word(rng, size))
        dut.read_address.value = row
        dut.tile_address.value = tile
        await RisingEdge(dut.clk)
        if reads:
            assert int(dut.row_entry.value) == reads[-1][0]
        if len(reads) > 1:
            row_read, tile_read = reads[-2]
            assert int(dut.buffer_vector.value) == row_read
            assert int(dut.work_vector.value) == row_read
            assert tile_read is None or int(dut.tile_vector.value) == tile_read
        reads.append((model[row], None if write else model[tile]))
        if write:
            model[at] = written
