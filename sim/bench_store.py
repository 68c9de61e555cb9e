# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/store.sv: what lies in memory after random vectors at random times."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiWriteBus

from sim.axi import WriteMemory, hush, random_pauses
from sim.lanes import idle, pack, start_clock

SIZE = 1 << 20


async def _begin(dut: Any) -> WriteMemory:
    start_clock(dut)
    dut.vector_valid.value = 0
    dut.clear.value = 0
    dut.stop.value = 0
    dut.reset.value = 1
    bus = AxiWriteBus.from_prefix(dut, "m_axi_gmem0")
    memory = WriteMemory(bus, dut.clk, dut.reset, size=SIZE)
    hush(memory)
    await idle(dut, 4)
    dut.reset.value = 0
    await idle(dut, 2)
    return memory


def _pause(memory: WriteMemory, rng: np.random.Generator, share: float) -> None:
    for channel in (memory.aw_channel, memory.w_channel, memory.b_channel):
        channel.set_pause_generator(random_pauses(rng, share) if share else None)
        channel.pause = False


async def _send(
    dut: Any, rng: np.random.Generator, indices: np.ndarray, vectors: np.ndarray, gaps: float
) -> int:
    """Returns the number of cycles that the vectors took to be accepted."""
    cycles = 0
    for index, vector in zip(indices, vectors, strict=True):
        while rng.random() < gaps:
            await RisingEdge(dut.clk)
        dut.vector_valid.value = 1
        dut.vector_index.value = int(index)
        dut.vector.value = pack(vector, 16)
        await RisingEdge(dut.clk)
        cycles += 1
        while not int(dut.vector_ready.value):
            await RisingEdge(dut.clk)
            cycles += 1
        dut.vector_valid.value = 0
    return cycles


async def _finish(dut: Any) -> None:
    await RisingEdge(dut.clk)
    for _ in range(2000):
        await RisingEdge(dut.clk)
        if int(dut.idle.value):
            return
    raise AssertionError("store is never idle")


async def _run(
    dut: Any,
    memory: WriteMemory,
    rng: np.random.Generator,
    count: int,
    base: int,
    share: float,
) -> int:
    lanes = len(dut.vector) // 16
    dut.output_address.value = base
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    dut.clear.value = 0
    await RisingEdge(dut.clk)
    assert int(dut.idle.value) == 1
    assert int(dut.error.value) == 0
    _pause(memory, rng, share)
    memory.write(0, bytes(SIZE))
    indices = rng.permutation(2 * count)[:count]
    if not share:
        indices.sort()
    vectors = rng.integers(-(1 << 15), 1 << 15, (count, lanes))
    cycles = await _send(dut, rng, indices, vectors, 0.3 if share else 0)
    await _finish(dut)
    expected = np.zeros((2 * count, lanes), "<i2")
    expected[indices] = vectors
    if not int(dut.error.value):
        assert memory.read(base, expected.nbytes) == expected.tobytes()
        assert not any(memory.read(base - 64, 64))
        assert not any(memory.read(base + expected.nbytes, 64))
    return cycles


@cocotb.test()
async def random_vectors(dut: Any) -> None:
    """Aligned and barely aligned regions, memories fast and slow."""
    rng = np.random.default_rng(0)
    memory = await _begin(dut)
    for base, share in ((0x10000, 0.4), (0x10FF0, 0.4), (0x10FB0, 0.8), (0x20F90, 0)):
        await _run(dut, memory, rng, 150, base, share)
        assert int(dut.error.value) == 0


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """A word a cycle while memory takes one."""
    rng = np.random.default_rng(1)
    memory = await _begin(dut)
    words = len(dut.vector) // 128
    count = 100
    cycles = await _run(dut, memory, rng, count, 0x10000, 0)
    # The model takes a word a cycle and needs one more to begin a burst.
    assert cycles <= count * (words + 1) + 8, cycles


@cocotb.test()
async def failures(dut: Any) -> None:
    """A failed write is told and does not stop what follows; the next run is clean."""
    rng = np.random.default_rng(2)
    memory = await _begin(dut)
    for base in (0x10000, 0x10FF0):
        memory.fails = lambda address, base=base: address // 4096 == base // 4096 + 1
        await _run(dut, memory, rng, 200, base, 0.3)
        assert int(dut.error.value) == 1
        memory.fails = None
        await _run(dut, memory, rng, 50, base, 0.3)
        assert int(dut.error.value) == 0


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    rng = np.random.default_rng(3)
    memory = await _begin(dut)
    for cycles in (7, 20, 53):
        _pause(memory, rng, 0.7)
        vectors = rng.integers(0, 100, (40, len(dut.vector) // 16))
        sending = cocotb.start_soon(_send(dut, rng, np.arange(40), vectors, 0))
        await idle(dut, cycles)
        sending.cancel()
        dut.vector_valid.value = 0
        dut.reset.value = 1
        await idle(dut, 4)
        dut.reset.value = 0
        await idle(dut, 2)
        await _run(dut, memory, rng, 30, 0x10000, 0.3)
        assert int(dut.error.value) == 0


async def _strobes(dut: Any, taken: list[int]) -> None:
    """Collects the strobes of words that memory takes while ``stop`` is high."""
    while True:
        await RisingEdge(dut.clk)
        signals = (dut.stop, dut.m_axi_gmem0_wvalid, dut.m_axi_gmem0_wready)
        if all(int(signal.value) for signal in signals):
            taken.append(int(dut.m_axi_gmem0_wstrb.value))


@cocotb.test()
async def stop_in_mid_run(dut: Any) -> None:
    """Bursts that were begun end. Only the word that is offered at the stop is still written."""
    rng = np.random.default_rng(4)
    memory = await _begin(dut)
    lanes = len(dut.vector) // 16
    channels = (memory.aw_channel, memory.w_channel, memory.b_channel)
    most = 0
    for trial in range(16):
        _pause(memory, rng, 0.6)
        dut.output_address.value = 0x10FF0
        vectors = rng.integers(1, 100, (40, lanes))
        sending = cocotb.start_soon(_send(dut, rng, np.arange(40), vectors, 0))
        await idle(dut, int(rng.integers(5, 90)))
        frozen = channels[trial // 2 % 3] if trial % 2 else None
        if frozen is not None:  # memory has stopped, and goes on long after the stop
            frozen.set_pause_generator(None)
            frozen.pause = True
            await idle(dut, 20)
        strobes: list[int] = []
        monitor = cocotb.start_soon(_strobes(dut, strobes))
        dut.stop.value = 1
        await idle(dut, 30)
        sending.cancel()
        dut.vector_valid.value = 0
        _pause(memory, rng, 0.3)
        await _finish(dut)
        monitor.cancel()
        assert not any(strobes[1:])
        most = max(most, len(strobes))
        dut.stop.value = 0
        await _run(dut, memory, rng, 30, 0x10FF0, 0.3)
        assert int(dut.error.value) == 0
    assert most > 1
