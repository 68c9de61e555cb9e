# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/fetch.sv (sim/tops/fetch_ports.sv): both streams against what the binary
program and the regions hold.
"""

from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.task import Task
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiReadBus

from hwgen.program.engine import EngineConfig
from hwgen.program.fields import LOAD, MATMUL, OPCODE, Buffer, Field, Opcode, Region
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
)
from hwgen.program.memory import stripe
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.program.status import ErrorCode
from sim.axi import ReadMemory, hush, random_pauses
from sim.lanes import idle, start_clock

SIZE = 1 << 20
OUTSTANDING = 4
TIMEOUT = 60000
PARAMETER_BEATS = 8


@dataclass(frozen=True)
class Item:
    """What the instruction stream says; ``bits`` and ``beats`` of an item without an error."""

    error: ErrorCode
    last: bool
    bits: int = 0
    beats: int = 0


@dataclass
class Case:
    """What lies in memory, and where: byte addresses from the base of each port."""

    image: np.ndarray
    weights: np.ndarray
    inputs: np.ndarray
    program: int
    weights_at: int
    input_at: int
    bases: list[int]


@dataclass
class Streams:
    """What came out."""

    items: list[Item] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    output_vectors: int = -1

    @property
    def done(self) -> bool:
        return bool(self.items) and self.items[-1].last


def _get(words: np.ndarray, item: Field) -> int:
    return int(words[item.word]) >> item.low & ((1 << item.width) - 1)


def _fields(words: np.ndarray, layout: tuple[Field, ...]) -> dict[str, int]:
    return {item.name: _get(words, item) for item in layout}


def expected(case: Case, engine: EngineConfig) -> Streams:
    """Both streams, as docs/program.md has them. No memory fails."""
    header, *records = case.image
    if header[0] != 0x4E475748 or header[1] != 1:
        return Streams([Item(ErrorCode.BAD_HEADER, True)], [], 0)
    if header[2] != engine.digest:
        return Streams([Item(ErrorCode.WRONG_ENGINE, True)], [], 0)
    streams = Streams(output_vectors=int(header[6]))
    depths = {Buffer.RESIDUAL: engine.residual_depth, Buffer.WORK: engine.work_depth}
    for words in records[: int(header[3])]:
        bits = int.from_bytes(words.astype("<u4").tobytes(), "little")
        opcode = _get(words, OPCODE)
        region, first, count, error = case.weights, 0, 0, ErrorCode.NONE
        if opcode not in list(Opcode):
            error = ErrorCode.UNKNOWN_OPCODE
        elif opcode == Opcode.LOAD:
            load = _fields(words, LOAD)
            buffer, vectors = load["destination_buffer"], load["vectors"]
            first, count = load["offset"], vectors * (2 if buffer == Buffer.RESIDUAL else 1)
            if load["region"] == Region.INPUT:
                region = case.inputs
            legal = load["region"] in list(Region) and buffer in depths and vectors > 0
            if not legal or load["destination_address"] + vectors > depths[Buffer(buffer)]:
                error = ErrorCode.OUT_OF_RANGE
        elif opcode == Opcode.MATMUL:
            matmul = _fields(words, MATMUL)
            first = matmul["offset"]
            slice_beats = PARAMETER_BEATS + matmul["reduction_slices"] * engine.lanes
            count = matmul["output_slices"] * slice_beats
        # A region's size is what the header says; the bench does not make it differ.
        if error == ErrorCode.NONE and first + count > len(region):
            error = ErrorCode.OUT_OF_RANGE
        if error != ErrorCode.NONE:
            streams.items.append(Item(error, True))
            return streams
        if opcode == Opcode.END:
            streams.items.append(Item(error, True, bits))
            return streams
        streams.items.append(Item(error, False, bits, count))
        beats = region[first : first + count]
        streams.beats += [int.from_bytes(beat.tobytes(), "little") for beat in beats]
    streams.items.append(Item(ErrorCode.OUT_OF_RANGE, True))
    return streams


# Programs -------------------------------------------------------------------------------------


def _load(rng: np.random.Generator, region: Region, beats: int) -> Load:
    buffer = Buffer(int(rng.integers(2)))
    each = 2 if buffer == Buffer.RESIDUAL else 1
    vectors = int(rng.integers(1, min(beats // each, 150) + 1))
    offset = int(rng.integers(beats - vectors * each + 1))
    return Load(region, offset, buffer, int(rng.integers(5000)), vectors, int(rng.integers(2)))


def _matmul(rng: np.random.Generator, lanes: int, beats: int) -> Matmul:
    reduction = int(rng.integers(0, 3))
    each = PARAMETER_BEATS + reduction * lanes
    output = int(rng.integers(0, min(beats // each, 4) + 1))
    offset = int(rng.choice([0, beats - output * each, rng.integers(beats - output * each + 1)]))
    return Matmul(
        int(rng.integers(1024)),
        0,
        Buffer.WORK,
        *(int(value) for value in rng.integers(1 << 16, size=2)),
        reduction,
        Buffer.RESIDUAL,
        *(int(value) for value in rng.integers(1 << 16, size=2)),
        output,
        offset,
        epsilon=int(rng.integers(1 << 62)),
    )


def _instructions(
    rng: np.random.Generator, lanes: int, weights: int, inputs: int, count: int
) -> list[Instruction]:
    result: list[Instruction] = []
    for kind in rng.integers(7, size=count):
        match kind:
            case 0:
                result.append(_load(rng, Region.INPUT, inputs))
            case 1:
                result.append(_load(rng, Region.WEIGHTS, weights))
            case 2 | 3:
                result.append(_matmul(rng, lanes, weights))
            case 4:
                result.append(Attention(*(int(value) for value in rng.integers(16, size=19))))
            case 5:
                result.append(TokenSelect(*(int(value) for value in rng.integers(16, size=13))))
            case _:
                result.append(SetTokens(int(rng.integers(8)), int(rng.integers(1 << 16))))
    return result


def _program(
    rng: np.random.Generator, engine: EngineConfig, instructions: list[Instruction], beats: int
) -> Program:
    weights = rng.integers(0, 256, (beats, engine.lanes), dtype=np.uint8)
    return Program(
        "bench",
        engine,
        tuple(instructions),
        ("",) * len(instructions),
        weights,
        InputLayout(32, 32, 3, 4),
        OutputLayout(int(rng.integers(1, 99)), 10, 1.0),
    )


def _case(rng: np.random.Generator, program: Program, ports: int, unit: int, inputs: int) -> Case:
    """Places at random multiples of ``unit`` bytes that do not overlap."""
    beats = rng.integers(0, 256, (inputs, program.engine.lanes), dtype=np.uint8)
    image = program.image
    image[0, 5] = inputs
    at, places = 0, []
    for size in (image.nbytes, stripe(program.weights).nbytes, stripe(beats).nbytes):
        at += unit * int(rng.integers(1, 9))
        at = -(-at // unit) * unit
        places.append(at)
        at += size
    bases = [0x10000 + 0x1000 * int(rng.integers(16)) for _ in range(ports)]
    assert max(bases) + at < SIZE
    return Case(image, program.weights, beats, *places, bases)


def _random_case(rng: np.random.Generator, lanes: int, count: int, unit: int = 1024) -> Case:
    engine = EngineConfig(lanes=lanes)
    beats = 500 if lanes > 16 else 900
    inputs = int(rng.integers(100, 300))
    instructions = [*_instructions(rng, lanes, beats, inputs, count), End()]
    # Nothing after END is looked at.
    instructions += _instructions(rng, lanes, beats, inputs, int(rng.integers(0, 20)))
    return _case(rng, _program(rng, engine, instructions, beats), lanes // 16, unit, inputs)


# The device -----------------------------------------------------------------------------------


class Bench:
    """The device under test, its memories, and what is read from it."""

    def __init__(self, dut: Any, rng: np.random.Generator) -> None:
        self.dut, self.rng = dut, rng
        self.lanes = len(dut.beat) // 8
        self.engine = EngineConfig(lanes=self.lanes)
        self.memories: list[ReadMemory] = []
        self.gaps = 0.0

    async def begin(self) -> None:
        dut = self.dut
        start_clock(dut)
        for name in ("start", "stop", "instruction_ready", "beat_ready"):
            getattr(dut, name).value = 0
        dut.reset.value = 1
        for port in range(4):
            bus = AxiReadBus.from_prefix(dut, f"m_axi_gmem{port}")
            self.memories.append(ReadMemory(bus, dut.clk, dut.reset, size=SIZE))
        hush(*self.memories)
        await idle(dut, 4)
        dut.reset.value = 0
        await idle(dut, 2)
        assert int(dut.idle.value) == 1

    def pace(self, memory: float, consumer: float) -> None:
        """Shares of cycles in which memory and consumer do not go on."""
        self.gaps = consumer
        for model in self.memories:
            for channel in (model.ar_channel, model.r_channel):
                pauses = random_pauses(self.rng, memory) if memory else None
                channel.set_pause_generator(pauses)
                channel.pause = False

    async def start(self, case: Case) -> None:
        dut = self.dut
        regions = (
            (case.program, case.image.astype("<u4").tobytes()),
            (case.weights_at, stripe(case.weights).tobytes()),
            (case.input_at, stripe(case.inputs).tobytes()),
        )
        for memory, base in zip(self.memories, case.bases, strict=False):
            for at, data in regions:
                memory.write(base + at, data)
        dut.gmem.value = sum(base << 64 * port for port, base in enumerate(case.bases))
        dut.program_address.value = case.program
        dut.weights_address.value = case.weights_at
        dut.input_address.value = case.input_at
        await RisingEdge(dut.clk)
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0

    async def _collect(self, streams: Streams) -> None:
        dut, rng, gaps = self.dut, self.rng, self.gaps
        while True:
            await RisingEdge(dut.clk)
            if int(dut.instruction_valid.value) and int(dut.instruction_ready.value):
                error, last = (
                    ErrorCode(int(dut.instruction_error.value)),
                    bool(int(dut.instruction_last.value)),
                )
                good = error == ErrorCode.NONE
                streams.items.append(
                    Item(
                        error,
                        last,
                        int(dut.instruction.value) if good else 0,
                        int(dut.instruction_beats.value),
                    )
                )
                streams.output_vectors = int(dut.output_vectors.value)
            if int(dut.beat_valid.value) and int(dut.beat_ready.value):
                streams.beats.append(int(dut.beat.value))
            dut.instruction_ready.value = int(rng.random() >= gaps)
            dut.beat_ready.value = int(rng.random() >= gaps)

    def collect(self) -> tuple[Streams, Task]:
        streams = Streams()
        return streams, cocotb.start_soon(self._collect(streams))

    async def finish(self, task: Task) -> None:
        await idle(self.dut, 2)
        for _ in range(TIMEOUT):
            await RisingEdge(self.dut.clk)
            if int(self.dut.idle.value):
                break
        else:
            raise AssertionError("fetch is never idle")
        task.cancel()
        self.dut.instruction_ready.value = 0
        self.dut.beat_ready.value = 0
        assert not int(self.dut.instruction_valid.value)
        assert not int(self.dut.beat_valid.value)
        for memory in self.memories:
            assert memory.ar_channel.empty()

    async def run(self, case: Case) -> Streams:
        streams, task = self.collect()
        await self.start(case)
        await self.finish(task)
        return streams

    async def check(self, case: Case) -> Streams:
        wanted = expected(case, self.engine)
        found = await self.run(case)
        assert found.items == wanted.items, (found.items[-1], wanted.items[-1])
        assert found.beats == wanted.beats
        assert found.output_vectors == wanted.output_vectors
        return found


async def _begin(dut: Any, seed: int) -> Bench:
    bench = Bench(dut, np.random.default_rng(seed))
    await bench.begin()
    return bench


# Tests ----------------------------------------------------------------------------------------


@cocotb.test()
async def random_programs(dut: Any) -> None:
    """Memory or consumer slow, in turn; regions on odd addresses, too."""
    bench = await _begin(dut, 0)
    for memory, consumer, unit in (
        (0.0, 0.0, 1024),
        (0.5, 0.0, 16),
        (0.0, 0.6, 16),
        (0.3, 0.3, 1024),
    ):
        bench.pace(memory, consumer)
        found = await bench.check(_random_case(bench.rng, bench.lanes, 25, unit))
        assert found.items[-1].error == ErrorCode.NONE


@cocotb.test()
async def short_instructions(dut: Any) -> None:
    """The program is read ahead: instructions without beats do not wait for memory."""
    bench = await _begin(dut, 1)
    tokens = [SetTokens(index % 8, index) for index in range(300)]
    program = _program(bench.rng, bench.engine, [*tokens, End()], 10)
    case = _case(bench.rng, program, bench.lanes // 16, 1024, 10)
    cycles = 0

    async def count() -> None:
        nonlocal cycles
        while True:
            await RisingEdge(dut.clk)
            cycles += 1

    counter = cocotb.start_soon(count())
    found = await bench.check(case)
    counter.cancel()
    assert len(found.items) == 301
    assert cycles < 301 * 13 + 60, cycles


@cocotb.test()
async def bursts_under_way(dut: Any) -> None:
    """All ports read at once, several bursts each, as far ahead of the consumer as queues allow."""
    bench = await _begin(dut, 2)
    program = _program(
        bench.rng, bench.engine, [Load(Region.WEIGHTS, 5, Buffer.WORK, 0, 900), End()], 905
    )
    case = _case(bench.rng, program, bench.lanes // 16, 1024, 10)
    memories = bench.memories[: bench.lanes // 16]
    for memory in memories:
        memory.r_channel.pause = True
        memory.ar_channel.queue_occupancy_limit = 100
    await bench.start(case)
    # The header and the program first.
    memories[0].r_channel.pause = False
    await idle(dut, 80)
    memories[0].r_channel.pause = True
    await idle(dut, 40)
    for port, memory in enumerate(memories):
        # The model works at one burst; what it has sent is not under way any more.
        waiting = memory.ar_channel.count()
        assert OUTSTANDING - 1 <= waiting + (port == 0) <= OUTSTANDING, (port, waiting)
    for memory in memories:
        memory.r_channel.pause = False
    await idle(dut, 1500)
    assert int(dut.beat_valid.value) == 1
    assert int(dut.idle.value) == 0
    # No whole page fits the queue any more.
    assert not any(int(getattr(dut, f"m_axi_gmem{p}_arvalid").value) for p in range(4))
    streams, task = bench.collect()
    await bench.finish(task)
    wanted = expected(case, bench.engine)
    assert streams.items == wanted.items
    assert streams.beats == wanted.beats


@cocotb.test()
async def bad_programs(dut: Any) -> None:
    """Each error that fetch finds, and a good run after it."""
    bench = await _begin(dut, 3)
    bench.pace(0.1, 0.1)
    rng, lanes = bench.rng, bench.lanes
    good = _random_case(rng, lanes, 3)
    beats, inputs = len(good.weights), len(good.inputs)

    def changed(word: int, value: int, record: int = 0) -> np.ndarray:
        image = good.image.copy()
        image[record, word] = value
        return image

    def loading(word: int, value: int, region: Region = Region.WEIGHTS) -> np.ndarray:
        load = Load(region, 3, Buffer.WORK, 7, 20)
        program = _program(rng, bench.engine, [load, End()], beats)
        image = program.image
        image[0, 5] = inputs
        image[1, word] = value
        return image

    multiply = _matmul(rng, lanes, beats)
    multiplying = _program(rng, bench.engine, [multiply, End()], beats).image
    multiplying[0, 5] = inputs
    too_many = multiplying.copy()
    too_many[1, 6] = 0xFFFFFFFF
    too_far = multiplying.copy()
    too_far[1, 7] = beats + 1
    no_end = good.image[:3].copy()
    no_end[1:, 0] = Opcode.SET_TOKENS
    no_end[0, 3] = 2
    empty = changed(3, 0)
    wrong = ErrorCode.OUT_OF_RANGE
    for image, error in (
        (changed(0, 0x4E475749), ErrorCode.BAD_HEADER),
        (changed(1, 2), ErrorCode.BAD_HEADER),
        (changed(2, int(good.image[0, 2]) ^ 1), ErrorCode.WRONG_ENGINE),
        (changed(0, 6, record=2), ErrorCode.UNKNOWN_OPCODE),
        (changed(0, 0xFF, record=1), ErrorCode.UNKNOWN_OPCODE),
        (no_end, wrong),
        (empty, wrong),
        (too_many, wrong),
        (too_far, wrong),
        (loading(7, beats - 20), ErrorCode.NONE),
        (loading(7, beats - 19), wrong),
        (loading(7, 0xFFFFFFFF), wrong),
        (loading(7, inputs - 20, Region.INPUT), ErrorCode.NONE),
        (loading(7, inputs - 19, Region.INPUT), wrong),
        (loading(6, 0), wrong),
        (loading(6, 0xFFFFFFFF), wrong),
        (loading(5, 0x210), wrong),  # region 2
        (loading(5, 0x020), wrong),  # into VALUE
        (loading(3, bench.engine.work_depth - 20), ErrorCode.NONE),
        (loading(3, bench.engine.work_depth - 19), wrong),
    ):
        case = Case(**{**vars(good), "image": image})
        found = await bench.check(case)
        assert found.items[-1] == Item(error, True, found.items[-1].bits), image
        if error != ErrorCode.NONE:
            await bench.check(good)


@cocotb.test()
async def memory_failures(dut: Any) -> None:
    """An error response in the header, the program, or beats of any port; then a good run."""
    bench = await _begin(dut, 4)
    bench.pace(0.2, 0.2)
    ports = bench.lanes // 16
    for trial in range(8):
        case = _random_case(bench.rng, bench.lanes, 12)
        port = int(bench.rng.integers(ports))
        base = case.bases[port]
        if trial == 0:
            port, base = 0, case.bases[0]
            low, high = case.program, case.program + 64
        elif trial in (1, 2):
            port, base = 0, case.bases[0]
            low = case.program + 64 * int(bench.rng.integers(1, 8))
            high = low + 16
        else:
            low, high = case.weights_at, case.weights_at + (1 << 20)
            if trial == 3:  # the last word of all, after END has been seen
                load = Load(Region.WEIGHTS, len(case.weights) - 200, Buffer.WORK, 0, 200)
                program = _program(bench.rng, bench.engine, [load, End()], len(case.weights))
                case = _case(bench.rng, program, ports, 1024, 100)
                base = case.bases[port]
                last = len(case.weights) - 1
                low = case.weights_at + (last // 64 * ports + port) * 1024 + last % 64 * 16
                high = low + 16
        bench.memories[port].fails = lambda address, low=base + low, high=base + high: (
            low <= address < high
        )
        wanted = expected(case, bench.engine)
        found = await bench.run(case)
        assert found.items[-1] == Item(ErrorCode.MEMORY, True), trial
        assert found.items[:-1] == wanted.items[: len(found.items) - 1]
        assert len(found.beats) == sum(item.beats for item in found.items)
        bench.memories[port].fails = None
        await bench.check(case)


@cocotb.test()
async def failures_end_the_walk(dut: Any) -> None:
    """No instruction is sent long after memory failed, though its own words are good."""
    bench = await _begin(dut, 6)
    loads = [Load(Region.WEIGHTS, 0, Buffer.WORK, 0, 200)] * 20
    program = _program(bench.rng, bench.engine, [*loads, End()], 200)
    case = _case(bench.rng, program, bench.lanes // 16, 1024, 10)
    port = len(case.bases) - 1
    low = case.bases[port] + case.weights_at + 1024 * port
    bench.memories[port].fails = lambda address: low <= address < low + 16
    found = await bench.run(case)
    assert found.items[-1] == Item(ErrorCode.MEMORY, True)
    assert len(found.items) <= 5
    assert len(found.beats) == sum(item.beats for item in found.items)


@cocotb.test()
async def stop_at_any_time(dut: Any) -> None:
    """In each cycle of the first instructions."""
    bench = await _begin(dut, 7)
    tokens = [SetTokens(0, 1)] * 40
    load = Load(Region.WEIGHTS, 0, Buffer.WORK, 0, 3)
    program = _program(bench.rng, bench.engine, [load, *tokens, End()], 10)
    long = _case(bench.rng, program, bench.lanes // 16, 1024, 10)
    program = _program(bench.rng, bench.engine, [load, End()], 10)
    short = _case(bench.rng, program, bench.lanes // 16, 1024, 10)
    for cycles in range(1, 60):
        await bench.start(long)
        await idle(dut, cycles)
        dut.stop.value = 1
        await RisingEdge(dut.clk)
        dut.stop.value = 0
        _, task = bench.collect()
        await bench.finish(task)
        await bench.check(short)


@cocotb.test()
async def reset_or_stop_in_mid_run(dut: Any) -> None:
    """The next run is as if nothing had been. A stop takes what memory still sends."""
    bench = await _begin(dut, 5)
    for trial in range(10):
        bench.pace(0.3, 0.3)
        _, task = bench.collect()
        await bench.start(_random_case(bench.rng, bench.lanes, 12))
        await idle(dut, int(bench.rng.integers(1, 900)))
        task.cancel()
        dut.instruction_ready.value = 0
        dut.beat_ready.value = 0
        if trial % 2:
            dut.stop.value = 1
            await RisingEdge(dut.clk)
            dut.stop.value = 0
            await bench.finish(task)
        else:
            dut.reset.value = 1
            await idle(dut, 4)
            dut.reset.value = 0
            await idle(dut, 2)
        await bench.check(_random_case(bench.rng, bench.lanes, 5))
