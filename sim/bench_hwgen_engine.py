# SPDX-License-Identifier: Apache-2.0
"""Bench of the whole engine behind its buses: programs run through the register map with random
pauses on every channel, memory errors, damaged programs, a memory that stops answering, and a
reset in mid-run.

The cases come from a pickle named by ``HWGEN_BENCH_CASES``: a list of (program, beats of one
image).
"""

import os
import pickle
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiReadBus, AxiWriteBus

from hwgen.estimate.cycles import estimate_cycles
from hwgen.golden.interpreter import Interpreter
from hwgen.program.memory import stripe
from hwgen.program.program import Program
from hwgen.program.registers import CONTROL, registers
from hwgen.program.status import ErrorCode
from sim.axi import ReadMemory, WriteMemory, hush, random_pauses

SIZE = 1 << 21
PROGRAM, INPUT, WEIGHTS, OUTPUT = 0x1000, 0x8000, 0x40000, 0x1C0000
START, DONE = 1, 2
TIMEOUT = 400_000


class Board:
    """The engine's registers and memory, as a driver sees them."""

    def __init__(self, dut: Any, ports: int, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        bus = AxiLiteBus.from_prefix(dut, "s_axi_control")
        self.control = AxiLiteMaster(bus, dut.ap_clk, dut.ap_rst_n, reset_active_level=False)
        self.reads = [
            ReadMemory(
                AxiReadBus.from_prefix(dut, f"m_axi_gmem{port}"), dut.ap_clk, dut.ap_rst_n,
                reset_active_level=False, size=SIZE,
            )
            for port in range(ports)
        ]  # fmt: skip
        self.written = WriteMemory(
            AxiWriteBus.from_prefix(dut, "m_axi_gmem0"), dut.ap_clk, dut.ap_rst_n,
            reset_active_level=False, size=SIZE,
        )  # fmt: skip
        hush(self.control.write_if, self.control.read_if, *self.reads, self.written)
        self.thaw()

    def thaw(self) -> None:
        """Every channel goes on, with random pauses."""
        written = self.written
        for channel, share in (
            *((memory.ar_channel, 0.3) for memory in self.reads),
            *((memory.r_channel, 0.2) for memory in self.reads),
            (written.aw_channel, 0.3),
            (written.w_channel, 0),
            (written.b_channel, 0.3),
        ):
            channel.pause = False
            channel.set_pause_generator(random_pauses(self.rng, share) if share else None)

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await RisingEdge(self.dut.ap_clk)

    def fill(self, address: int, data: bytes) -> None:
        for memory in self.reads:
            memory.write(address, data)

    async def reset(self) -> None:
        self.dut.ap_rst_n.value = 0
        await self.cycles(5)
        self.dut.ap_rst_n.value = 1
        await self.cycles(1)

    async def start(self, program: Program, beats: np.ndarray, image: bytes | None = None) -> None:
        self.fill(PROGRAM, program.image.astype("<u4").tobytes() if image is None else image)
        self.fill(INPUT, stripe(beats).tobytes())
        self.fill(WEIGHTS, stripe(program.weights).tobytes())
        self.written.write(OUTPUT, bytes(SIZE - OUTPUT))
        values = {"program": PROGRAM, "input": INPUT, "weights": WEIGHTS, "output": OUTPUT}
        for register in registers(program.engine):
            if register.bits == 64:
                value = values.get(register.name, 0)
                await self.control.write_qword(register.offset, value)
        await self.control.write_dword(CONTROL[0].offset, START)

    async def finish(self, program: Program) -> ErrorCode:
        """Polls done; the error code."""
        for _ in range(TIMEOUT):
            if await self.control.read_dword(CONTROL[0].offset) & DONE:
                (code,) = [r for r in registers(program.engine) if r.name == "error_code"]
                return ErrorCode(await self.control.read_dword(code.offset))
            await self.cycles(50)
        raise AssertionError("the engine hangs")

    def output(self, program: Program) -> np.ndarray:
        lanes = program.engine.lanes
        size = program.output.vectors(lanes) * lanes * 2
        return np.frombuffer(self.written.read(OUTPUT, size), "<i2").reshape(-1, lanes)

    async def check(self, program: Program, beats: np.ndarray) -> None:
        """One good run, compared with the interpreter."""
        await self.start(program, beats)
        assert await self.finish(program) == ErrorCode.NONE
        self.compare(program, beats)

    def compare(self, program: Program, beats: np.ndarray) -> None:
        expected = Interpreter(program).run(beats[None])[0]
        assert (self.output(program) == expected).all()


async def begin(dut: Any, seed: int) -> tuple[Board, list[tuple[Program, np.ndarray]]]:
    cases = pickle.loads(Path(os.environ["HWGEN_BENCH_CASES"]).read_bytes())
    Clock(dut.ap_clk, 2, "step", impl="gpi").start()
    board = Board(dut, cases[0][0].engine.ports, seed)
    await board.reset()
    return board, cases


@cocotb.test()
async def programs_one_after_the_other(dut: Any) -> None:
    board, cases = await begin(dut, 0)
    for program, beats in cases:
        await board.check(program, beats)


@cocotb.test()
async def every_failure_ends_with_its_code_and_the_next_run_works(dut: Any) -> None:
    board, cases = await begin(dut, 1)
    program, beats = cases[0]
    good = program.image.astype("<u4")
    last = len(good) - 2  # before END

    def damaged(row: int, word: int, value: int) -> bytes:
        image = good.copy()
        image[row, word] = value
        return image.tobytes()

    for image, code in (
        (damaged(0, 0, 0), ErrorCode.BAD_HEADER),
        (damaged(0, 2, 12345), ErrorCode.WRONG_ENGINE),
        (damaged(last, 0, 99), ErrorCode.UNKNOWN_OPCODE),
        (damaged(2, 3, 0xFFFF), ErrorCode.OUT_OF_RANGE),
        (damaged(last, 1, 60000), ErrorCode.OUT_OF_RANGE),
        (damaged(0, 3, len(good) - 2), ErrorCode.OUT_OF_RANGE),
    ):
        await board.start(program, beats, image)
        assert await board.finish(program) == code
    board.reads[-1].fails = lambda address: address >= WEIGHTS + 0x3000
    await board.start(program, beats)
    assert await board.finish(program) == ErrorCode.MEMORY
    board.reads[-1].fails = None
    board.written.fails = lambda address: address >= OUTPUT
    await board.start(program, beats)
    assert await board.finish(program) == ErrorCode.MEMORY
    board.written.fails = None
    await board.check(program, beats)


@cocotb.test()
async def a_reset_in_mid_run_leaves_nothing_behind(dut: Any) -> None:
    board, cases = await begin(dut, 2)
    program, beats = cases[0]
    await board.start(program, beats)
    await board.cycles(4000)
    await board.reset()
    await board.check(program, beats)


def freeze(channel: Any) -> None:
    channel.set_pause_generator(None)
    channel.pause = True


@cocotb.test()
async def a_memory_that_stops_answering_ends_the_run(dut: Any) -> None:
    """At the header, at random shares of the run, on each channel. What it still owes is not
    mistaken for an answer to the next run, which may begin before the memory goes on.
    """
    board, cases = await begin(dut, 3)
    first, last, written = board.reads[0], board.reads[-1], board.written
    limit = 1 << int(dut.WATCHDOG_BITS.value)
    for turn, (channel, earliest, latest) in enumerate(
        (
            (first.ar_channel, 0, 0),
            (first.r_channel, 0, 0),
            (last.ar_channel, 0.05, 0.2),
            (last.r_channel, 0.05, 0.2),
            (last.r_channel, 0.2, 0.8),
            (written.aw_channel, 0, 0),
            (written.w_channel, 0, 0.8),
            (written.b_channel, 0, 0.8),
        )
    ):
        program, beats = cases[turn % 2]
        if latest == 0:
            freeze(channel)
        await board.start(program, beats)
        share = board.rng.uniform(earliest, latest)
        await board.cycles(int(share * estimate_cycles(program).total))
        freeze(channel)
        assert await board.finish(program) == ErrorCode.WATCHDOG, turn
        if turn % 2:
            await board.cycles(int(board.rng.integers(limit)))
        # Words that memory took from the abandoned run may still be written.
        program, beats = cases[(turn + (turn < 5)) % 2]
        await board.start(program, beats)
        await board.cycles(int(board.rng.integers(limit // 2)))
        board.thaw()
        assert await board.finish(program) == ErrorCode.NONE, turn
        board.compare(program, beats)


@cocotb.test()
async def a_memory_that_never_answers_ends_every_run(dut: Any) -> None:
    board, cases = await begin(dut, 4)
    program, beats = cases[0]
    for channel in (board.reads[0].r_channel, board.written.b_channel):
        await board.start(program, beats)
        await board.cycles(500)
        freeze(channel)
        for _ in range(2):
            assert await board.finish(program) == ErrorCode.WATCHDOG
            await board.start(program, beats)
        assert await board.finish(program) == ErrorCode.WATCHDOG
        board.thaw()
        await board.reset()
        await board.check(program, beats)
