# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/tile_square.sv: every vector of both halves, as written and across."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.lanes import idle, pack, start_clock, unpack

LATENCY = 3


async def _write(dut: Any, half: int, tile: np.ndarray, order: np.ndarray) -> None:
    for index in order:
        dut.write.value = 1
        dut.write_half.value = half
        dut.write_index.value = int(index)
        dut.write_vector.value = pack(tile[index], 8)
        await RisingEdge(dut.clk)
    dut.write.value = 0


async def _read(dut: Any, half: int, across: int, order: np.ndarray) -> np.ndarray:
    """Vectors (or columns) of a half in the order asked for, one a cycle."""
    found = []
    for cycle in range(len(order) + LATENCY):
        if cycle < len(order):
            dut.read_half.value = half
            dut.read_index.value = int(order[cycle])
            dut.across.value = across
        await RisingEdge(dut.clk)
        if cycle >= LATENCY:
            found.append(unpack(dut.read_vector.value, len(order), "u1"))
    return np.array(found)


@cocotb.test()
async def all_vectors(dut: Any) -> None:
    """In order and not, while the other half is being written."""
    start_clock(dut)
    rng = np.random.default_rng(0)
    lanes = len(dut.write_vector) // 8
    for name in ("write", "read_half", "read_index", "across"):
        getattr(dut, name).value = 0
    tiles = [rng.integers(0, 256, (lanes, lanes)) for _ in range(2)]
    for half in range(2):
        await _write(dut, half, tiles[half], np.arange(lanes))
    await idle(dut, 2)
    for order in (np.arange(lanes), np.arange(lanes)[::-1], rng.permutation(lanes)):
        for half in range(2):
            for across in range(2):
                tile = tiles[half].T if across else tiles[half]
                other = rng.integers(0, 256, (lanes, lanes))
                writing = cocotb.start_soon(_write(dut, 1 - half, other, rng.permutation(lanes)))
                assert (await _read(dut, half, across, order) == tile[order]).all()
                await writing
                await idle(dut, 2)
                tiles[1 - half] = other
