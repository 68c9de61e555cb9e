# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/engine_core.sv: whole programs, every output against the interpreter.

The Program and its input come from a pickle named by ``HWGEN_BENCH_CASES``: a list of (program,
beats of one image).
"""

import os
import pickle
from pathlib import Path

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.program.extent import load_beats, parameter_beats
from hwgen.program.fields import Opcode, Region
from hwgen.program.instructions import Load, Matmul, encode
from hwgen.program.program import Program
from hwgen.program.status import ErrorCode
from sim.lanes import start_clock, unpack

TIMEOUT = 2_000_000


def stream(program: Program, beats: np.ndarray) -> list[np.ndarray]:
    """What fetch would send for each instruction: its beats, uint8 (n, lanes)."""
    parts = []
    for op in program.instructions:
        region = program.weights
        count = 0
        if isinstance(op, Load):
            region = beats if op.region == Region.INPUT else region
            count = load_beats(op)
        elif isinstance(op, Matmul):
            count = parameter_beats(op, program.engine)
        offset = getattr(op, "offset", 0)
        parts.append(region[offset : offset + count])
    return parts


async def send_instructions(dut, program: Program) -> None:
    dut.output_vectors.value = program.output.vectors(program.engine.lanes)
    dut.instruction_error.value = 0
    for op in program.instructions:
        dut.instruction_bits.value = int.from_bytes(encode(op).tobytes(), "little")
        dut.instruction_last.value = int(op.opcode == Opcode.END)
        dut.instruction_valid.value = 1
        await accepted(dut, dut.instruction_ready)
    dut.instruction_valid.value = 0


async def send_beats(dut, beats: np.ndarray, rng: np.random.Generator, gaps: float) -> None:
    for beat in beats:
        while gaps and rng.random() < gaps:
            dut.beat_valid.value = 0
            await RisingEdge(dut.clk)
        dut.beat.value = int.from_bytes(beat.tobytes(), "little")
        dut.beat_valid.value = 1
        await accepted(dut, dut.beat_ready)
    dut.beat_valid.value = 0


async def accepted(dut, ready) -> None:
    """Waits for a clock edge at which ``ready`` was high."""
    while True:
        await FallingEdge(dut.clk)
        if ready.value == 1:
            await RisingEdge(dut.clk)
            return


async def receive(dut, lanes: int, vectors: int, rng: np.random.Generator) -> tuple:
    """Output vectors until done: the region, the error code and the cycles taken."""
    output = np.zeros((vectors, lanes), np.int64)
    for cycle in range(TIMEOUT):
        dut.output_ready.value = int(rng.random() < 0.8)
        await FallingEdge(dut.clk)
        if dut.output_valid.value == 1 and dut.output_ready.value == 1:
            output[int(dut.output_index.value)] = unpack(dut.output_vector.value, lanes, "<i2")
        if dut.done.value == 1:
            return output, int(dut.error_code.value), cycle
        await RisingEdge(dut.clk)
    raise AssertionError(f"not done after {TIMEOUT} cycles")


@cocotb.test()
async def programs(dut) -> None:
    """Each program runs on the same engine, one after the other."""
    cases = pickle.loads(Path(os.environ["HWGEN_BENCH_CASES"]).read_bytes())
    rng = np.random.default_rng(0)
    start_clock(dut)
    dut.reset.value = 1
    dut.instruction_valid.value = 0
    dut.beat_valid.value = 0
    dut.output_ready.value = 0
    for _ in range(100):
        await RisingEdge(dut.clk)
    dut.reset.value = 0
    for number, (program, beats) in enumerate(cases):
        lanes = program.engine.lanes
        expected, code = None, ErrorCode.NONE
        try:
            expected = Interpreter(program).run(beats[None])[0]
        except EngineFault as fault:
            code = fault.code
        sent = np.concatenate(stream(program, beats))
        cocotb.start_soon(send_instructions(dut, program))
        sender = cocotb.start_soon(send_beats(dut, sent, rng, 0.2 * (number % 2)))
        output, found_code, cycles = await receive(dut, lanes, program.output.vectors(lanes), rng)
        await sender
        dut._log.info("program %d: %d cycles, error code %d", number, cycles, found_code)
        assert found_code == code
        if expected is not None:
            wrong = np.argwhere(output != expected)
            assert len(wrong) == 0, (number, len(wrong), wrong[:5].tolist())
