# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/run_control.sv: when runs begin and end, and with which code."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.program.status import ErrorCode
from sim.lanes import idle, start_clock, unpack

LEVELS = ("start", "core_done", "store_error", "moved", "waits", "core_error")


async def _begin(dut: Any) -> int:
    """Resets; returns the cycles without movement that the watchdog allows."""
    start_clock(dut)
    for name in LEVELS:
        getattr(dut, name).value = 0
    dut.fetch_idle.value = 1
    dut.store_idle.value = 1
    dut.reset.value = 1
    await idle(dut, 4)
    dut.reset.value = 0
    return 1 << int(dut.WATCHDOG_BITS.value)


async def _until(dut: Any, name: str, limit: int) -> int:
    """Cycles until the signal is high."""
    for cycle in range(limit):
        await RisingEdge(dut.clk)
        if int(getattr(dut, name).value):
            return cycle
    raise AssertionError(f"{name} is never high")


async def _launch(dut: Any) -> None:
    dut.start.value = 1
    await _until(dut, "launch", 1000)
    assert int(dut.clean.value) == 1


async def _ended(dut: Any, limit: int) -> ErrorCode:
    """Waits for done, which lasts a cycle, and takes start back as the registers do."""
    await _until(dut, "done", limit)
    code = ErrorCode(int(dut.error_code.value))
    dut.start.value = 0
    await RisingEdge(dut.clk)
    assert int(dut.done.value) == 0
    assert int(dut.idle.value) == 1
    return code


async def _core_ends(dut: Any, code: ErrorCode) -> None:
    dut.core_done.value = 1
    dut.core_error.value = code
    await RisingEdge(dut.clk)
    dut.core_done.value = 0
    dut.core_error.value = 0


@cocotb.test()
async def runs(dut: Any) -> None:
    """The first one waits until the reset has settled. Done waits for fetch and store."""
    limit = await _begin(dut)
    settle = int(dut.SETTLE.value)
    rng = np.random.default_rng(0)
    for turn, (code, store_error, expected) in enumerate(
        (
            (ErrorCode.NONE, 0, ErrorCode.NONE),
            (ErrorCode.OUT_OF_RANGE, 0, ErrorCode.OUT_OF_RANGE),
            (ErrorCode.NONE, 1, ErrorCode.MEMORY),
            (ErrorCode.UNKNOWN_OPCODE, 1, ErrorCode.UNKNOWN_OPCODE),
        )
    ):
        dut.start.value = 1
        waited = await _until(dut, "launch", 2 * settle)
        assert waited >= settle if turn == 0 else waited <= 3
        dut.moved.value = 1
        counts = np.zeros(len(dut.waits), np.int64)
        dut.fetch_idle.value = 0
        dut.store_idle.value = 0
        for _ in range(3 * limit):  # long, but something moves
            bits = int(rng.integers(1 << len(counts)))
            dut.waits.value = bits
            counts += bits >> np.arange(len(counts)) & 1
            await RisingEdge(dut.clk)
            assert not int(dut.done.value)
        dut.waits.value = 0
        await _core_ends(dut, code)
        dut.waits.value = (1 << len(counts)) - 1  # no longer counted
        for name in ("fetch_idle", "store_idle"):
            await idle(dut, 5)
            assert not int(dut.done.value)
            getattr(dut, name).value = 1
        dut.store_error.value = store_error
        assert await _ended(dut, 3) == expected
        dut.store_error.value = 0
        dut.waits.value = 0
        dut.moved.value = 0
        assert (unpack(dut.stalls.value, len(counts), "<u4") == counts).all()
        await idle(dut, 3 * limit)  # nothing moves, nothing runs
        assert not int(dut.stop.value)


@cocotb.test()
async def nothing_moves(dut: Any) -> None:
    """In the core, in fetch, in store; then runs wait until those two are idle again."""
    limit = await _begin(dut)
    settle = int(dut.SETTLE.value)
    rng = np.random.default_rng(1)
    for stuck in ("core", "fetch_idle", "store_idle"):
        await _launch(dut)
        dut.fetch_idle.value = 0
        dut.store_idle.value = 0
        for _ in range(20):  # just in time
            dut.moved.value = 1
            await RisingEdge(dut.clk)
            dut.moved.value = 0
            await idle(dut, limit - int(rng.integers(4, 20)))
        if stuck != "core":
            await _core_ends(dut, ErrorCode.NONE)
            dut.fetch_idle.value = int(stuck != "fetch_idle")
            dut.store_idle.value = int(stuck != "store_idle")
        assert await _ended(dut, limit + 2) == ErrorCode.WATCHDOG
        assert int(dut.clean.value) == 0
        if stuck == "core":
            dut.fetch_idle.value = 1
            dut.store_idle.value = 1
        else:
            # Two runs that cannot begin, then one that can.
            for _ in range(2):
                dut.start.value = 1
                assert await _ended(dut, limit + 10) == ErrorCode.WATCHDOG
            dut.start.value = 1
            await idle(dut, settle + 5)
            assert not int(dut.launch.value)
            dut.fetch_idle.value = 1
            dut.store_idle.value = 1
        await _launch(dut)
        dut.moved.value = 1
        await _core_ends(dut, ErrorCode.NONE)
        assert await _ended(dut, 3) == ErrorCode.NONE
        dut.moved.value = 0


@cocotb.test()
async def stop_lasts_a_cycle(dut: Any) -> None:
    """And the core is in reset for SETTLE cycles after it, even if fetch and store are idle."""
    limit = await _begin(dut)
    await _launch(dut)
    await _until(dut, "stop", limit + 10)
    assert int(dut.done.value) == 1
    dut.start.value = 0
    settle = int(dut.SETTLE.value)
    for _ in range(settle):
        await RisingEdge(dut.clk)
        assert not int(dut.stop.value)
        assert not int(dut.clean.value)
    await _until(dut, "clean", 4)
