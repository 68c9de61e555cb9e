# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/sequencer.sv: the items, tiles and fills of random programs, good ones and
changed ones, against the loops of docs/program.md in Python.

Programs come from a pickle named by ``HWGEN_BENCH_CASES``, all of one engine.
"""

import os
import pickle
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.golden.interpreter import legal
from hwgen.numerics.mean import mean_ratio
from hwgen.program.extent import load_beats, most_rows, parameter_beats
from hwgen.program.fields import FIELDS, Buffer
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
    encode,
)
from hwgen.program.program import Program
from hwgen.program.status import ErrorCode
from hwgen.program.tokens import TOKEN_REGISTERS, resolve, selected
from sim.lanes import idle, start_clock
from sim.structs import enumeration, struct

SOURCE, ITEM, LOAD = (enumeration(name) for name in ("source_t", "item_kind_t", "load_kind_t"))
TILES = (LOAD["LOAD_TILE"], LOAD["LOAD_SQUARE"])
SCORES = 4
TIMEOUT = 300_000
QUEUE = 4
"""Items that have not begun, at most."""
Order = dict[str, int]
NORMALISE_FIELDS = (
    "columns", "mean_multiplier", "epsilon", "normalise_multiplier", "normalise_shift",
)  # fmt: skip
SELECT_FIELDS = ("prefix", "merge", "heads", "threshold", "limit")
GELU_FIELDS = ("gelu_one", "gelu_slope", "gelu_multiplier", "gelu_shift")


@dataclass
class Streams:
    """What the sequencer sends. Of an order only the fields that mean something."""

    items: list[Order] = field(default_factory=list)
    loads: list[Order] = field(default_factory=list)
    fills: list[Order] = field(default_factory=list)
    tables: list[Order] = field(default_factory=list)
    error: ErrorCode = ErrorCode.NONE


@dataclass(frozen=True)
class Matrix:
    """A matrix in a buffer."""

    address: int
    stride: int
    slices: int
    rows: int

    def covers(self, other: "Matrix") -> bool:
        """Whether the rows of ``other`` are rows of it, slice by slice."""
        same = self.address == other.address
        return (
            same
            and (self.stride == other.stride or other.slices == 1)
            and self.slices >= other.slices
            and self.rows >= other.rows
        )


@dataclass
class Model:
    """A run: what docs/program.md says of each instruction."""

    program: Program
    rng: np.random.Generator
    streams: Streams = field(default_factory=Streams)
    tokens: list[int] = field(default_factory=lambda: [0] * TOKEN_REGISTERS)
    stayed: deque[int] = field(default_factory=deque)
    """Rows that stay in each selection; no scores are looked at here."""
    measured: Matrix | None = None
    """Whose statistics are there."""
    normalised: tuple[int, ...] | None = None
    """Constants of the means."""
    with_means: Matrix | None = None
    """Written last in WORK, means between its slices."""

    def run(self, instructions: Sequence[Instruction], error: ErrorCode) -> Streams:
        """``error`` comes with the last item instead of END."""
        for op in instructions:
            if isinstance(op, End):
                break
            if self.streams.error != ErrorCode.NONE:
                self._discard(op)
            elif not self._step(op):
                self.streams.error = ErrorCode.OUT_OF_RANGE
                self._discard(op)
        if self.streams.error == ErrorCode.NONE:
            self.streams.error = error
        return self.streams

    def _discard(self, op: Instruction) -> None:
        beats = 0
        if isinstance(op, Load):
            beats = load_beats(op)
        elif isinstance(op, Matmul):
            beats = parameter_beats(op, self.program.engine)
        if beats:
            self.streams.loads.append({"kind": LOAD["LOAD_DISCARD"], "beats": beats})

    def _step(self, instruction: Instruction) -> bool:
        """False: the instruction is illegal."""
        op = resolve(instruction, self.tokens)
        if not isinstance(op, Load | SetTokens) and not legal(op, self.program):
            return False
        match op:
            case SetTokens():
                if op.register >= len(self.tokens):
                    return False
                self.tokens[op.register] = op.rows
            case Load():
                kind = "LOAD_RESIDUAL" if op.destination_buffer == Buffer.RESIDUAL else "LOAD_WORK"
                order = {"kind": LOAD[kind], "address": op.destination_address}
                if kind == "LOAD_WORK":
                    order["offset_binary"] = op.offset_binary
                else:
                    self.measured = None
                self.streams.loads.append(order | {"beats": load_beats(op)})
            case Matmul():
                self._matmul(op)
            case Attention():
                self._attention(op)
            case TokenSelect():
                stayed = self._select(op)
                assert isinstance(instruction, TokenSelect)
                selected(instruction, self.tokens, stayed + op.package)
        return True

    def _prepare(self, op: Matmul) -> None:
        """Statistics and means, where those that are there are others."""
        rows = op.rows
        matrix = Matrix(op.source_address, op.source_stride, op.reduction_slices, rows)
        known = self.measured
        if known is None or not known.covers(matrix) or known.slices != matrix.slices:
            for k in range(op.reduction_slices):
                self.streams.items.append({
                    "kind": ITEM["ITEM_MEASURE"], "rows": rows,
                    "source_base": op.source_address,
                    "source_address": op.source_address + k * op.source_stride,
                    "first_slice": k == 0, "last_slice": k == op.reduction_slices - 1,
                })  # fmt: skip
            self.measured = matrix
            self.normalised = None
        constants = tuple(getattr(op, name) for name in NORMALISE_FIELDS)
        known_means = self.normalised
        if known_means is None or known_means[:-1] != constants or known_means[-1] < rows:
            self.streams.items.append({
                "kind": ITEM["ITEM_NORMALISE"], "rows": rows, "source_base": op.source_address,
                **dict(zip(NORMALISE_FIELDS, constants, strict=True)),
            })  # fmt: skip
            self.normalised = (*constants, rows)

    def _matmul(self, op: Matmul) -> None:
        lanes, rows = self.program.engine.lanes, op.rows
        if op.normalise:
            self._prepare(op)
        two = bool(op.normalise and op.residual)
        wide = op.destination_buffer in (Buffer.RESIDUAL, Buffer.OUTPUT)
        firsts = op.reduction_slices - op.second_slices
        source = Matrix(op.source_address, op.source_stride, firsts, rows)
        follow = self.with_means is None or self.with_means.covers(source)
        second_stride = 1 if op.second_broadcast else op.source_stride
        for o in range(op.output_slices):
            final: Order = {
                "last": 1, "has_channels": 1, "by_row": 0, "narrow": not wide, "gelu": op.gelu,
                "residual": op.residual, "target": op.destination_buffer,
                "target_address": op.destination_address + o * op.destination_stride,
                "target_first": o == 0, "target_last": o == op.output_slices - 1,
                "target_base": op.destination_address, "summed": op.mean, "mean": 0, "select": 0,
            }  # fmt: skip
            if op.gelu:
                final |= {name: getattr(op, name) for name in GELU_FIELDS}
            if op.residual:
                final["residual_base"] = op.residual_address
                final["residual_address"] = op.residual_address + o * op.residual_stride
            for k in range(op.reduction_slices):
                item = {
                    "kind": ITEM["ITEM_PASS"], "rows": rows, "has_tile": 1, "first": k == 0,
                    "source": SOURCE["SOURCE_RESIDUAL" if op.normalise else "SOURCE_WORK"],
                    "source_address": op.source_address + k * op.source_stride,
                    "last": 0, "gelu": 0, "residual": 0, "has_channels": 0, "summed": 0, "mean": 0,
                    "select": 0, "broadcast": 0,
                }  # fmt: skip
                if not op.normalise:
                    item |= {"source_base": op.source_address, "follow": follow, "again": o > 0}
                if k >= firsts:
                    item |= {
                        "source_address": op.second_address + (k - firsts) * second_stride,
                        "follow": 0, "broadcast": op.second_broadcast,
                    }  # fmt: skip
                if k == op.reduction_slices - 1 and not two:
                    item |= final
                self.streams.items.append(item)
                self.streams.loads.append({
                    "kind": LOAD["LOAD_TILE"], "parameters": k == 0,
                    "beats": lanes + 8 * (k == 0),
                })  # fmt: skip
            if two:
                again = {
                    "kind": ITEM["ITEM_PASS"], "rows": rows, "has_tile": 0, "first": 0,
                    "source": SOURCE["SOURCE_NONE"],
                }  # fmt: skip
                self.streams.items.append(again | final)
            if op.mean:
                self._mean(rows, {
                    "target": Buffer.WORK, "target_address": op.mean_address + o, "narrow": 1,
                })  # fmt: skip
        written = Matrix(op.destination_address, op.destination_stride, op.output_slices, rows)
        if op.destination_buffer == Buffer.WORK:
            self.with_means = written if op.mean else None
        if op.destination_buffer == Buffer.RESIDUAL:
            self.measured = written
            self.normalised = None

    def _mean(self, rows: int, target: Order) -> None:
        """The mean of ``rows`` rows; of none it is zero, with whatever ratio."""
        item = {
            "kind": ITEM["ITEM_PASS"], "rows": 1, "has_tile": 0, "first": 1, "last": 1,
            "source": SOURCE["SOURCE_NONE"], "has_channels": 0, "by_row": 1, "by_ratio": 0,
            "gelu": 0, "residual": 0, "mean": 1, "summed": 0, "select": 0,
        }  # fmt: skip
        if rows:
            ratio = mean_ratio(rows)
            item |= {"row_multiplier": ratio.multiplier, "row_shift": ratio.shift}
        self.streams.items.append(item | target)

    def _select(self, op: TokenSelect) -> int:
        """Returns how many rows stay."""
        most = most_rows(op) - op.package
        scored = min(op.rows - op.prefix - op.packages, op.limit)
        stayed = int(self.rng.integers(most - scored, most + 1))
        self.stayed.append(stayed)
        for s in range(op.slices):
            target: Order = {
                "target": Buffer.RESIDUAL, "target_base": op.destination_address,
                "target_address": op.destination_address + s * op.destination_stride,
                "target_first": s == 0, "target_last": s == op.slices - 1, "narrow": 0,
            }  # fmt: skip
            item = {
                "kind": ITEM["ITEM_PASS"], "rows": op.rows, "has_tile": 0, "first": 1, "last": 1,
                "source": SOURCE["SOURCE_NONE"], "source_base": op.score_address,
                "source_address": op.score_address, "follow": self.with_means is None,
                "again": s > 0,
                "broadcast": 0, "has_channels": 0, "by_row": 1, "by_ratio": 0, "gelu": 0,
                "residual": 1, "residual_address": op.source_address + s * op.source_stride,
                "summed": 1, "mean": 0, "select": 1, "scored_end": op.rows - op.packages,
                **{name: getattr(op, name) for name in SELECT_FIELDS},
            }  # fmt: skip
            self.streams.items.append(item | target)
            if op.package:
                self._mean(op.rows - stayed, target)
        rows = stayed + op.package
        self.measured = Matrix(op.destination_address, op.destination_stride, op.slices, rows)
        self.normalised = None
        return stayed

    def _attention(self, op: Attention) -> None:
        lanes, rows, keys = self.program.engine.lanes, op.rows, op.keys
        self.with_means = None
        tiles = range(-(-keys // lanes))
        names = ("exponent_multiplier", "output_multiplier", "output_shift")
        self.streams.tables.append({name: getattr(op, name) for name in names})

        def tile(from_value: bool, address: int, index: int) -> int:
            count = min(lanes, keys - index * lanes)
            self.streams.fills.append(
                {"from_value": from_value, "address": address + index * lanes, "rows": count}
            )
            self.streams.loads.append({
                "kind": LOAD["LOAD_SQUARE"], "parameters": 0, "transposed": from_value,
                "beats": lanes,
            })  # fmt: skip
            return count

        for head in range(op.heads):
            slices = range(head * op.head_slices, (head + 1) * op.head_slices)
            for t in tiles:
                for s in slices:
                    count = tile(False, op.key_address + s * op.key_stride, t)
                    item: Order = {
                        "kind": ITEM["ITEM_PASS"], "rows": rows, "has_tile": 1,
                        "source": SOURCE["SOURCE_WORK"], "source_base": op.query_address,
                        "source_address": op.query_address + s * op.query_stride,
                        "first": s == slices[0], "last": s == slices[-1], "has_channels": 0,
                        "gelu": 0, "residual": 0,
                    }  # fmt: skip
                    if s == slices[-1]:
                        item |= {
                            "by_row": 1, "by_ratio": 0, "row_multiplier": op.score_multiplier,
                            "row_shift": op.score_shift, "narrow": 1, "keys": count,
                            "target": SCORES, "target_address": t * rows,
                            "target_first": t == 0, "target_last": t == tiles[-1],
                        }  # fmt: skip
                    self.streams.items.append(item)
            for s in slices:
                for t in tiles:
                    count = tile(True, op.value_address + s * op.value_stride, t)
                    item = {
                        "kind": ITEM["ITEM_PASS"], "rows": rows, "has_tile": 1,
                        "source": SOURCE["SOURCE_SCORES"], "source_address": t * rows,
                        "first_slice": t == 0, "last_slice": t == tiles[-1], "keys": count,
                        "first": t == 0, "last": t == tiles[-1], "has_channels": 0,
                        "gelu": 0, "residual": 0,
                    }  # fmt: skip
                    if t == tiles[-1]:
                        item |= {
                            "by_row": 1, "by_ratio": 1, "narrow": 1, "target": Buffer.WORK,
                            "target_base": op.destination_address,
                            "target_address": op.destination_address + s * op.destination_stride,
                        }  # fmt: skip
                    self.streams.items.append(item)


def changed(rng: np.random.Generator, program: Program) -> list[Instruction]:
    """The program with one field of one instruction set to a value at or beyond a limit."""
    engine = program.engine
    instructions = list(program.instructions)
    places = [i for i, op in enumerate(instructions) if not isinstance(op, Load | End)]
    index = int(rng.choice(places))
    op = instructions[index]
    name = str(rng.choice([item.name for item in fields(op) if item.name != "opcode"]))
    (width,) = [item.width for item in FIELDS[op.opcode] if item.name == name]
    depths = (engine.residual_depth, engine.work_depth, engine.value_depth, engine.max_rows)
    values = [0, 1, 2, 8, 9, 15, 16, 255]
    values += [limit + step for limit in depths for step in (-1, 0, 1)] + [65535]
    values = list(Buffer) if name.endswith("_buffer") else values
    values = [value for value in values if value < 1 << width]
    instructions[index] = replace(op, **{name: int(rng.choice(values))})
    return instructions


def is_scores(item: Order) -> bool:
    return item["source"] == SOURCE["SOURCE_SCORES"]


def writes_to(item: Order, buffer: Buffer) -> bool:
    return bool(item["last"]) and item["target"] == buffer


class Bench:
    def __init__(self, dut: Any, seed: int) -> None:
        self.dut, self.rng = dut, np.random.default_rng(seed)
        self.cases: list[Program] = pickle.loads(Path(os.environ["HWGEN_BENCH_CASES"]).read_bytes())

    async def begin(self) -> None:
        dut = self.dut
        start_clock(dut)
        for name in (
            "instruction_valid", "instruction_error", "instruction_last", "item_ready",
            "load_ready", "selection_valid",
        ):  # fmt: skip
            getattr(dut, name).value = 0
        dut.everything_idle.value = 1
        dut.item_taken.value = 0
        dut.table_free.value = 1
        dut.reset.value = 1
        await idle(dut, 4)
        dut.reset.value = 0

    async def run(
        self,
        program: Program,
        instructions: Sequence[Instruction],
        error: ErrorCode,
        gaps: float,
        stayed: Sequence[int] = (),
    ) -> Streams:
        """Sends the program; receivers are busy in a share of cycles ``gaps``.

        Args:
            stayed: the rows that stay in each selection.
        """
        dut, rng = self.dut, self.rng
        counts, decision = deque(stayed), 0  # cycles until the next count
        streams = Streams()
        ports = (
            (dut.item_valid, dut.item_ready, dut.item, struct("item_t"), streams.items),
            (dut.load_valid, dut.load_ready, dut.load, struct("load_order_t"), streams.loads),
            (dut.fill_valid, dut.load_ready, dut.fill, struct("fill_t"), streams.fills),
        )
        # The last one carries the reason why there is no other.
        waiting = deque(
            (int.from_bytes(encode(op).astype("<u4").tobytes(), "little"), 0, 0)
            for op in instructions
            if not isinstance(op, End)
        )
        waiting.append((0, int(error), 1))
        dut.output_vectors.value = program.output.vectors(program.engine.lanes)
        pending = 0  # cycles of work under way
        queued: deque[Order] = deque()  # items that have not begun
        table = 0  # cycles until the table of exponentials is free
        alone = False  # that work is a LOAD, which nothing may overlap
        for _ in range(TIMEOUT):
            dut.instruction_valid.value = int(bool(waiting) and rng.random() >= gaps)
            bits, reason, last = waiting[0] if waiting else (0, 0, 0)
            dut.instruction_bits.value = bits
            dut.instruction_error.value = reason
            dut.instruction_last.value = last
            for _, ready, *_ in ports:
                ready.value = int(rng.random() >= gaps)
            if len(queued) == QUEUE:
                dut.item_ready.value = 0
            await RisingEdge(dut.clk)
            dut.everything_idle.value = int(pending == 0 and not queued)  # a cycle late
            begins = bool(queued) and rng.random() < 0.2
            dut.item_taken.value = int(begins)
            if begins and is_scores(queued.popleft()):
                table = int(rng.integers(1, 30))
            dut.table_free.value = int(table == 0)
            dut.selection_valid.value = int(decision == 1)
            count = counts.popleft() if decision == 1 else int(rng.integers(65536))
            dut.selection_count.value = count
            decision = max(decision - 1, 0)
            work = 0
            if int(dut.table_fill.value):
                assert not table and not any(is_scores(item) for item in queued)
                # Keys must not be overtaken; items of the attention itself do not write them.
                assert not any(writes_to(item, Buffer.WORK) for item in queued)
                constants = struct("softmax_constants_t").unpack(dut.softmax_constants.value)
                streams.tables.append(constants)
            table = max(table - 1, 0)
            for valid, ready, port, layout, orders in ports:
                if int(valid.value):
                    assert int(ready.value)
                    assert not alone
                    orders.append(layout.unpack(port.value))
                    work = int(rng.integers(1, 12))
                    if orders is streams.fills and orders[-1]["from_value"]:
                        assert not any(writes_to(item, Buffer.VALUE) for item in queued)
                    if orders is streams.items:
                        queued.append(orders[-1])
                        assert not decision
                        if orders[-1]["select"] and orders[-1]["target_first"]:
                            decision = int(rng.integers(1, 40))
            if int(dut.load_valid.value) and streams.loads[-1]["kind"] not in TILES:
                assert not pending and not queued
                alone = True
            pending = max(pending - 1, work)
            alone = alone and pending > 0
            if int(dut.done.value):
                assert not waiting and not pending and not queued
                streams.error = ErrorCode(int(dut.error_code.value))
                return streams
            if int(dut.instruction_valid.value) and int(dut.instruction_ready.value):
                waiting.popleft()
        raise AssertionError("the sequencer hangs")

    async def check(
        self,
        program: Program,
        instructions: Sequence[Instruction] | None = None,
        error: ErrorCode = ErrorCode.NONE,
        gaps: float = 0.0,
    ) -> ErrorCode:
        instructions = program.instructions if instructions is None else instructions
        model = Model(program, self.rng)
        expected = model.run(instructions, error)
        found = await self.run(program, instructions, error, gaps, model.stayed)
        for name in ("items", "loads", "fills", "tables"):
            wanted, got = getattr(expected, name), getattr(found, name)
            for index, (want, have) in enumerate(zip(wanted, got, strict=False)):
                meant = {key: have[key] for key in want}
                assert meant == {key: int(value) for key, value in want.items()}, (name, index)
            assert len(wanted) == len(got), name
        assert found.error == expected.error
        return found.error


@cocotb.test()
async def good_programs(dut: Any) -> None:
    """With receivers always ready, and often busy; then with an error that fetch has found."""
    bench = Bench(dut, 0)
    await bench.begin()
    for program in bench.cases:
        assert await bench.check(program) == ErrorCode.NONE
        assert await bench.check(program, gaps=0.5) == ErrorCode.NONE
        assert await bench.check(program, error=ErrorCode.MEMORY) == ErrorCode.MEMORY


@cocotb.test()
async def changed_programs(dut: Any) -> None:
    """Whether they are legal is golden's word. What follows an illegal one is discarded."""
    bench = Bench(dut, 1)
    await bench.begin()
    codes = []
    for turn in range(60):
        program = bench.cases[turn % len(bench.cases)]
        instructions = changed(bench.rng, program)
        reason = ErrorCode.UNKNOWN_OPCODE if turn % 5 == 0 else ErrorCode.NONE
        codes.append(await bench.check(program, instructions, reason, 0.1 * (turn % 3)))
    assert {ErrorCode.NONE, ErrorCode.OUT_OF_RANGE, ErrorCode.UNKNOWN_OPCODE} == set(codes)
    assert codes.count(ErrorCode.OUT_OF_RANGE) >= 15


@cocotb.test()
async def nothing_is_kept_from_run_to_run(dut: Any) -> None:
    """Token registers are zero again, and statistics are measured again."""
    bench = Bench(dut, 2)
    await bench.begin()
    program = bench.cases[0]
    matmul = next(op for op in program.instructions if isinstance(op, Matmul) and op.normalise)
    known = replace(matmul, rows=3, rows_register=0, source_offset_register=0)
    by_register = replace(known, rows_register=5)
    none = ErrorCode.NONE
    assert await bench.check(program, [known, known]) == none
    assert await bench.check(program, [SetTokens(4, 2), by_register, known]) == none
    assert await bench.check(program, [by_register]) == ErrorCode.OUT_OF_RANGE
    assert await bench.check(program, [known]) == none
    # The same within a run, after a reset in the middle of one.
    running = cocotb.start_soon(bench.run(program, [SetTokens(4, 2), known], none, 0.5))
    await idle(dut, 40)
    running.cancel()
    dut.instruction_valid.value = 0
    dut.reset.value = 1
    await idle(dut, 4)
    dut.everything_idle.value = 1
    dut.item_taken.value = 0
    dut.table_free.value = 1
    dut.reset.value = 0
    assert await bench.check(program, [by_register]) == ErrorCode.OUT_OF_RANGE
    assert await bench.check(program, [known]) == none
