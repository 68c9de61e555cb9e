# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/axi_lite_control.sv: the map of hwgen/program/registers.py, the handshake of
Vitis HLS, and transfers in any order.
"""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from hwgen.program.engine import EngineConfig
from hwgen.program.registers import CONTROL as HANDSHAKE
from hwgen.program.registers import COUNTERS, registers
from hwgen.program.registers import STALLS as STALL_COUNTERS
from sim.axi import hush, random_pauses
from sim.lanes import idle, pack, start_clock

START, DONE, IDLE, READY, AUTO_RESTART, INTERRUPT = 1, 2, 4, 8, 0x80, 0x200
CONTROL, GLOBAL_ENABLE, ENABLE, STATUS = (register.offset for register in HANDSHAKE)
AT = {register.name: register.offset for register in COUNTERS}
STALLS = [register.offset for register in STALL_COUNTERS]
END = COUNTERS[-1].offset + 4


async def _begin(dut: Any) -> AxiLiteMaster:
    start_clock(dut)
    for name in ("done", "ready", "error_code", "error_code_valid", "stalls"):
        getattr(dut, name).value = 0
    dut.idle.value = 1
    dut.reset.value = 1
    master = AxiLiteMaster(AxiLiteBus.from_entity(dut), dut.clk, dut.reset)
    hush(master.write_if, master.read_if)
    await idle(dut, 4)
    dut.reset.value = 0
    await idle(dut, 2)
    return master


def _pause(master: AxiLiteMaster, rng: np.random.Generator, share: float) -> None:
    write, read = master.write_if, master.read_if
    for channel in (
        write.aw_channel,
        write.w_channel,
        write.b_channel,
        read.ar_channel,
        read.r_channel,
    ):
        channel.set_pause_generator(random_pauses(rng, share))


async def _engine(dut: Any, cycles: int) -> None:
    """An engine whose runs take ``cycles`` cycles and two."""
    while True:
        dut.idle.value = 1
        await RisingEdge(dut.clk)
        while int(dut.start.value):
            dut.idle.value = 0
            await idle(dut, cycles)
            dut.done.value = 1
            dut.ready.value = 1
            dut.error_code_valid.value = 1
            await RisingEdge(dut.clk)
            dut.done.value = 0
            dut.ready.value = 0
            dut.error_code_valid.value = 0
            await RisingEdge(dut.clk)


@cocotb.test()
async def arguments(dut: Any) -> None:
    """Each byte of each argument is written and read, in any order of address and data."""
    rng = np.random.default_rng(0)
    master = await _begin(dut)
    lanes = 16 * (len(dut.gmem) // 64)
    *pointers, error, valid = registers(EngineConfig(lanes=lanes))
    held = {register.offset: bytearray(8) for register in pointers}
    _pause(master, rng, 0.6)
    for _ in range(120):
        offset = int(rng.choice(list(held)))
        at = int(rng.integers(8))
        size = int(rng.integers(1, 9 - at))
        data = rng.bytes(size)
        held[offset][at : at + size] = data
        await master.write(offset + at, data)
        probe = int(rng.choice(list(held)))
        assert (await master.read(probe, 8)).data == bytes(held[probe])
    values = {r.name: int.from_bytes(held[r.offset], "little") for r in pointers}
    memories = [values.pop(f"gmem{port}") for port in range(lanes // 16)]
    assert int(dut.gmem.value) == pack(np.array(memories, np.uint64), 64)
    for name, value in values.items():
        assert int(getattr(dut, f"{name}_address").value) == value, name
    # The reserved words, and what lies beyond the map.
    for offset in (*(r.offset + 8 for r in pointers), valid.offset + 4, END, 0xFFC):
        await master.write_dword(offset, 0xFFFFFFFF)
        assert await master.read_dword(offset) == 0, hex(offset)
    for register in (error, valid, *COUNTERS):
        before = await master.read(register.offset, register.bits // 8)
        await master.write(register.offset, bytes(byte ^ 0xFF for byte in before.data))
        after = await master.read(register.offset, register.bits // 8)
        assert after.data == before.data, register
    for register in pointers:
        assert (await master.read(register.offset, 8)).data == bytes(held[register.offset])


@cocotb.test()
async def address_and_data_apart(dut: Any) -> None:
    """Either comes first, by many cycles; responses wait for the master; two writes in a row."""
    master = await _begin(dut)
    write = master.write_if
    for early, late in (
        (write.aw_channel, write.w_channel),
        (write.w_channel, write.aw_channel),
    ):
        for value in (0x01234567, 0x89ABCDEF):
            late.pause = True
            pending = cocotb.start_soon(master.write_dword(0x10, value))
            await idle(dut, 12)
            assert early.empty()
            assert int(dut.gmem.value) & 0xFFFFFFFF != value
            write.b_channel.pause = True
            late.pause = False
            following = cocotb.start_soon(master.write_dword(0x14, value ^ 0xFF))
            await idle(dut, 12)
            assert int(dut.bvalid.value) == 1
            assert int(dut.gmem.value) & 0xFFFFFFFF == value
            write.b_channel.pause = False
            await pending
            await following
            assert int(dut.gmem.value) & (1 << 64) - 1 == (value ^ 0xFF) << 32 | value


@cocotb.test()
async def runs(dut: Any) -> None:
    """Start, done, ready, idle, the error code, the counters."""
    rng = np.random.default_rng(1)
    master = await _begin(dut)
    lanes = 16 * (len(dut.gmem) // 64)
    error, valid = (item.offset for item in registers(EngineConfig(lanes=lanes))[-2:])
    read = master.read_dword
    assert await read(CONTROL) == IDLE
    assert await read(AT["version"]) == int(dut.VERSION.value)
    assert await read(AT["digest"]) == int(dut.DIGEST.value)
    cycles = 60
    cocotb.start_soon(_engine(dut, cycles))
    for run in range(3):
        stalls = rng.integers(0, 1 << 32, len(STALLS))
        dut.stalls.value = pack(stalls, 32)
        dut.error_code.value = run
        assert await read(valid) == 0
        await master.write_dword(CONTROL, START)
        await idle(dut, 2)
        assert await read(CONTROL) == START
        await idle(dut, cycles)
        assert await read(CONTROL) == DONE | IDLE | READY
        assert await read(CONTROL) == IDLE
        assert await read(error) == run
        assert await read(valid) == 1
        assert await read(valid) == 0
        assert await read(AT["cycles"]) == cycles + 2
        assert await read(AT["cycles"] + 4) == 0
        assert [await read(offset) for offset in STALLS] == stalls.tolist()
    # A strobe that leaves the low byte out starts nothing.
    await master.write(CONTROL + 1, b"\xff\xff\xff")
    await idle(dut, 4)
    assert await read(CONTROL) == IDLE
    # Reset in mid-run.
    await master.write_dword(CONTROL, START | AUTO_RESTART)
    await idle(dut, 10)
    dut.reset.value = 1
    await idle(dut, 4)
    dut.reset.value = 0
    await idle(dut, cycles + 4)
    assert await read(CONTROL) & ~(DONE | READY) == IDLE
    assert await read(CONTROL) == IDLE
    await master.write_dword(CONTROL, START)
    await idle(dut, cycles + 10)
    assert await read(CONTROL) == DONE | IDLE | READY


@cocotb.test()
async def restarts_and_interrupts(dut: Any) -> None:
    """auto_restart tells done once; interrupt bits are enabled, and toggled by writing."""
    master = await _begin(dut)
    read = master.read_dword
    write = master.write_dword
    cycles = 40
    cocotb.start_soon(_engine(dut, cycles))

    await write(CONTROL, START | AUTO_RESTART)
    await idle(dut, 5 * cycles)
    assert await read(CONTROL) == START | AUTO_RESTART
    await write(CONTROL, 0)
    await idle(dut, 2 * cycles)
    assert await read(CONTROL) == DONE | IDLE | READY
    assert await read(CONTROL) == IDLE
    assert await read(AT["cycles"]) == cycles + 2

    # Not enabled: nothing. Enabled alone: a status, no interrupt. With the global enable: both.
    for enabled, everywhere, status in ((0, 1, 0), (3, 0, 3), (1, 1, 1), (2, 1, 2), (3, 1, 3)):
        await write(GLOBAL_ENABLE, everywhere)
        await write(ENABLE, enabled)
        assert await read(GLOBAL_ENABLE) == everywhere
        assert await read(ENABLE) == enabled
        await write(CONTROL, START)
        await idle(dut, cycles + 10)
        raised = int(bool(status and everywhere))
        assert int(dut.interrupt.value) == raised
        assert await read(STATUS) == status
        assert await read(CONTROL) == DONE | IDLE | READY | INTERRUPT * raised
        await write(STATUS, status)
        await idle(dut, 2)
        assert int(dut.interrupt.value) == 0
        assert await read(STATUS) == 0
    await write(STATUS, 2)
    await idle(dut, 2)
    assert int(dut.interrupt.value) == 1
    await write(GLOBAL_ENABLE, 0)
    await idle(dut, 2)
    assert int(dut.interrupt.value) == 0
