# SPDX-License-Identifier: Apache-2.0
"""Bench of sim/tops/fetch_memory.sv: how fast fetch and store are before a memory of DDR's latency
and bandwidth. DDR_IMAGE holds a program that loads BENCH_BEATS beats, at BENCH_PROGRAM, and its
weights, at BENCH_WEIGHTS.
"""

import os
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.lanes import idle, pack, start_clock

BEATS, PROGRAM, WEIGHTS = (
    int(os.environ.get(f"BENCH_{name}", "0")) for name in ("BEATS", "PROGRAM", "WEIGHTS")
)
OUTPUT = 1 << 20
LATENCY = 60


@cocotb.test()
async def rates(dut: Any) -> None:
    """Beats alone, then beats while vectors are written: memory is never idle."""
    start_clock(dut)
    dut.program_address.value = PROGRAM
    dut.weights_address.value = WEIGHTS
    dut.input_address.value = 0
    dut.output_address.value = OUTPUT
    dut.beat_ready.value = 1
    for name in ("start", "vector_valid", "vector_index", "vector"):
        getattr(dut, name).value = 0
    dut.reset.value = 1
    await idle(dut, 4)
    dut.reset.value = 0
    await idle(dut, 20)
    lanes = len(dut.beat) // 8
    memory_rate = int(dut.MILLIBYTES.value) / 1000
    for writing in (False, True):
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        cycles, beats, first, vectors = 0, 0, 0, 0
        dut.vector_valid.value = int(writing)
        while beats < BEATS:
            await RisingEdge(dut.clk)
            cycles += 1
            assert cycles < 50 * BEATS
            if int(dut.beat_valid.value):
                beats += 1
                first = first or cycles
            if writing and int(dut.vector_ready.value):
                vectors += 1
                dut.vector_index.value = vectors % 1024
                dut.vector.value = pack(np.full(lanes, vectors), 16)
        dut.vector_valid.value = 0
        stream = cycles - first
        dut._log.info(
            "first beat after %d cycles, then %.2f bytes a cycle; stored %.2f bytes a cycle",
            first,
            (beats - 1) * lanes / stream,
            vectors * 2 * lanes / cycles,
        )
        # The header, the first instructions, the first page: three times the latency.
        assert first <= 3 * LATENCY + 50
        # Each port moves a word a cycle at most, and so does store.
        wish = lanes + 16 * writing
        moved = (beats - 1) * lanes + vectors * 2 * lanes * stream / cycles
        assert moved >= 0.97 * min(memory_rate, wish) * stream, moved / stream
        while not (int(dut.idle.value) and int(dut.store_idle.value)):
            await RisingEdge(dut.clk)
        assert not int(dut.store_error.value)
