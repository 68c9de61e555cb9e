# SPDX-License-Identifier: Apache-2.0
"""The RTL engine on random programs, with slow and fast memory.

Instructions read what those right before them write, often with few rows, so that rows are asked
for while they are still on their way. Each program ends by sending every buffer to DDR: a wrong
value is seen wherever it lies.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import Attention, Load, Matmul
from hwgen.program.program import OutputLayout, Program
from hwgen.program.status import ErrorCode
from hwgen.sim import rtl_build
from hwgen.sim.rtl import Memory, run_rtl
from hwgen.sim.rtl_build import Options, compile_rtl
from tests.csim.writer import INPUT_BEATS, OUTPUT_VECTORS, NoRoom, Writer, vectors

SIZES = {
    "score_depth": 120,
    "residual_depth": 500,
    "work_depth": 600,
    "value_depth": 200,
    "prefetch_depth": 128,
}
SLOW, FAST = Memory(1.7, 150, 2), Memory(1000.0, 2, 64)
UNIT = Ratio(1 << 15, 15)
"""A requantisation that changes nothing."""


@dataclass
class Neighbours(Writer):
    """Writes instructions that read what those right before them write."""

    few: bool = False  # rows at a time: four at most
    output: int = OUTPUT_VECTORS  # next free vector of the output region

    def rows(self) -> int:
        return self.integer(1, 4 if self.few else self.engine.max_rows)

    def any(self, destination: Buffer, **wanted: int) -> Matmul:
        return self.matmul(destination, None, None, rows=self.rows(), **wanted)

    def source(self) -> None:
        """A product whose source is the result of the one before, or overlaps it."""
        between = Buffer.RESIDUAL if self.flag() else Buffer.WORK
        rows, slices = self.rows(), self.integer(1, 2)
        first = self.matmul(between, rows=rows, output_slices=slices)
        skipped, count = self._part(rows)
        self.matmul(
            Buffer(self.integer(0, 3)),
            (first.destination_address + skipped, first.destination_stride),
            rows=count,
            reduction_slices=slices,
            normalise=int(between == Buffer.RESIDUAL),
        )

    def operand(self) -> None:
        """A product whose residual operand is the result of the one before, or overlaps it."""
        rows, slices = self.rows(), self.integer(1, 2)
        first = self.matmul(Buffer.RESIDUAL, rows=rows, output_slices=slices)
        skipped, count = self._part(rows)
        self.matmul(
            Buffer.RESIDUAL if self.flag() else Buffer.OUTPUT,
            operand=(first.destination_address + skipped, first.destination_stride),
            rows=count,
            output_slices=slices,
            residual=1,
        )

    def other_stride(self) -> None:
        """A product that reads the first and the last rows of the one before as its two slices."""
        between = Buffer.RESIDUAL if self.flag() else Buffer.WORK
        rows = self.engine.max_rows
        stride = self.integer(rows // 2, rows - 1)
        first = self.matmul(between, rows=rows, output_slices=1, reduction_slices=1)
        self.matmul(
            Buffer(self.integer(0, 3)),
            (first.destination_address, stride),
            rows=min(rows - stride, 4),
            reduction_slices=2,
            normalise=int(between == Buffer.RESIDUAL),
        )

    def _part(self, rows: int) -> tuple[int, int]:
        """Rows to skip, mostly none, and rows to read."""
        skipped = self.integer(0, rows - 1) if self.integer(0, 2) == 0 else 0
        return skipped, rows - skipped if self.flag() else self.integer(1, rows - skipped)

    def attention_behind(self) -> None:
        """Attention right behind the products that make queries, keys and values, in any order;
        then a product that reads its result. Often the last tile has one key.
        """
        engine, lanes = self.engine, self.engine.lanes
        heads, head_slices = self.integer(1, 2), self.integer(1, 2)
        slices = heads * head_slices
        keys = lanes + 1 if self.integer(0, 2) == 0 else self.rows()
        rows = min(self.rows(), engine.score_depth // -(-keys // lanes))
        places: dict[str, tuple[int, int]] = {}
        order = [("query", Buffer.WORK, rows), ("key", Buffer.WORK, keys)]
        order.append(("value", Buffer.VALUE, keys))
        for index in self.rng.permutation(len(order)):
            name, buffer, count = order[index]
            op = self.matmul(buffer, rows=count, output_slices=slices, reduction_slices=1)
            places[name] = (op.destination_address, op.destination_stride)
        query, key = vectors(*places["query"], slices, rows), vectors(*places["key"], slices, keys)
        target = places["query"]
        if query & key or self.flag():
            target = self.place_apart(engine.work_depth, slices, rows, query | key)
        score = ratio_from(self.rng.uniform(10, 60) / (np.sqrt(head_slices * lanes) * 73 * 73))
        output = ratio_from(self.rng.uniform(0.5, 3))
        self.instructions.append(
            Attention(
                rows, 0, keys, 0, *places["query"], *places["key"], *places["value"], *target,
                heads, head_slices, score.multiplier, score.shift, self.integer(50, 4000),
                output.multiplier, output.shift,
            )
        )  # fmt: skip
        if self.flag():
            self.matmul(
                Buffer.WORK if self.flag() else Buffer.OUTPUT,
                target, rows=rows, reduction_slices=slices, normalise=0,
            )  # fmt: skip

    def means(self) -> None:
        """A product with its means, and one right behind that reads both: the means as the second
        source, or as a row of one slice more.
        """
        rows, slices = self.rows(), self.integer(1, 2)
        first = self.matmul(Buffer.WORK, rows=rows, output_slices=slices, normalise=1, mean=1)
        address, stride = first.destination_address, first.destination_stride
        if self.flag():
            destination = Buffer(self.integer(0, 3))
            op = self.matmul(
                destination, (address, stride), rows=rows, normalise=0, reduction_slices=2 * slices,
                second_slices=slices, second_broadcast=1, output_slices=self.integer(1, 3),
            )  # fmt: skip
            written = vectors(op.destination_address, op.destination_stride, op.output_slices, rows)
            if destination != Buffer.WORK or not written & vectors(
                first.mean_address, 1, slices, 1
            ):
                self.instructions[-1] = replace(op, second_address=first.mean_address)
            return
        behind = address + slices * stride
        if behind + max(rows, slices) + rows > self.engine.work_depth:
            raise NoRoom
        means = behind + self.integer(0, rows - 1)
        self.instructions[-1] = replace(first, mean_address=means)
        self.matmul(
            Buffer.OUTPUT, (address, stride), rows=rows, reduction_slices=slices + 1, normalise=0
        )

    def selection(self) -> None:
        """A selection right behind the products that make its rows and their scores, in any order,
        to their own place, below it, or apart; then a product that reads what is left.
        """
        self.held.clear()
        depth = self.engine.residual_depth
        rows, slices = self.rows(), self.integer(1, 3)
        everything = self.integer(0, 3) == 0  # stays: one row more than an engine's products have
        rows = self.engine.max_rows if everything else rows
        fields = self.decision(rows, rows)
        if everything:
            fields |= {"prefix": rows, "packages": 0, "package": 1}
        most = rows + fields["package"]
        made = {}
        for buffer, count in self.rng.permutation([(Buffer.WORK, 1), (Buffer.RESIDUAL, slices)]):
            made[Buffer(buffer)] = self.matmul(Buffer(buffer), rows=rows, output_slices=int(count))
        first, score = made[Buffer.RESIDUAL], made[Buffer.WORK]
        source = target = (first.destination_address, first.destination_stride)
        if self.flag():
            target = (self.integer(max(0, source[0] - rows), source[0]), source[1])
        if source[1] < most or target[0] + (slices - 1) * target[1] + most > depth:
            target = self.place_apart(depth, slices, most, vectors(*source, slices, rows))
        number, fields["rows_register"] = self.count(rows)
        source_offset, fields["source_offset_register"] = self.offset(source[0])
        target_offset, fields["destination_offset_register"] = self.offset(target[0])
        fields |= {
            "rows": number,
            "source_address": source[0] - source_offset,
            "source_stride": source[1],
            "destination_address": target[0] - target_offset,
            "destination_stride": target[1],
            "slices": slices,
            "score_address": score.destination_address,
        }
        count, _ = self.select_registers(fields)
        # As many as are left, or with what lies behind them.
        register = count if most <= self.engine.max_rows and self.flag() else 0
        left = {"rows": min(most, self.engine.max_rows), "rows_register": register}
        if self.flag():
            self.matmul(
                Buffer(self.integer(0, 3)), target, reduction_slices=slices, normalise=1, **left
            )
        else:
            self.matmul(
                Buffer.RESIDUAL if self.flag() else Buffer.OUTPUT, operand=target,
                output_slices=slices, residual=1, **left,
            )  # fmt: skip

    def selections(self) -> None:
        """A selection, one among its rows, and instructions that use both."""
        first = self.select(rows=min(self.rows(), self.engine.max_rows - 2))
        self.use(first)
        self.use(self.select_behind(first))

    def scores(self, rows: int) -> int:
        """Loaded, or made by a product."""
        if self.flag():
            return super().scores(rows)
        return self.matmul(Buffer.WORK, rows=rows, output_slices=1).destination_address

    def layer(self, weight: int) -> int:
        """The weight stream of ``weight`` times the unit matrix; its offset."""
        lanes = self.engine.lanes
        each = np.ones(lanes, np.int64)
        return self.stream(
            pack_parameters(
                LayerParameters(
                    weight * np.eye(lanes, dtype=np.int64), 0 * each,
                    UNIT.multiplier * each, UNIT.shift * each,
                ),
                lanes,
            )
        )  # fmt: skip

    def send(self, buffer: Buffer, depth: int) -> None:
        """WORK times the unit matrix, or RESIDUAL added to nothing, to DDR."""
        offset = self.layer(int(buffer == Buffer.WORK))
        for first in range(0, depth, self.engine.max_rows):
            count = min(self.engine.max_rows, depth - first)
            self.instructions.append(
                Matmul(
                    rows=count, rows_register=0, source_buffer=Buffer.WORK,
                    source_address=first if buffer == Buffer.WORK else 0, source_stride=0,
                    reduction_slices=1, destination_buffer=Buffer.OUTPUT,
                    destination_address=self.output, destination_stride=0, output_slices=1,
                    offset=offset, residual=int(buffer == Buffer.RESIDUAL),
                    residual_address=first if buffer == Buffer.RESIDUAL else 0,
                )
            )  # fmt: skip
            self.output += count

    def values_to_work(self) -> None:
        """All of VALUE: by attention in which each query meets one key, the unit matrix."""
        lanes = self.engine.lanes
        unit = 127 * np.eye(lanes, dtype=np.uint8)
        self.instructions.append(Load(Region.WEIGHTS, self.stream(unit), Buffer.WORK, 0, lanes))
        score, output = ratio_from(1 / 127), ratio_from(1.0)
        for first in range(0, self.engine.value_depth, lanes):
            count = min(lanes, self.engine.value_depth - first)
            self.instructions.append(
                Attention(
                    count, 0, count, 0, 0, 0, 0, 0, first, 0, lanes + first, 0, 1, 1,
                    score.multiplier, score.shift, 16384, output.multiplier, output.shift,
                )
            )  # fmt: skip

    def end(self) -> Program:
        """The program, with every buffer in its output region."""
        engine = self.engine
        self.send(Buffer.WORK, engine.work_depth)
        self.send(Buffer.RESIDUAL, engine.residual_depth)
        self.values_to_work()
        self.send(Buffer.WORK, engine.lanes + engine.value_depth)
        return replace(self.program(), output=OutputLayout(self.output, engine.lanes, 1.0))


def random_writer(engine: EngineConfig, seed: int) -> Neighbours:
    """With all kinds of instruction; odd seeds have few rows."""
    writer = Neighbours(engine, np.random.default_rng(seed), few=bool(seed % 2))
    writer.load()
    steps: list[Callable[[], object]] = [
        writer.load_input,
        lambda: writer.any(Buffer.WORK, gelu=1),
        lambda: writer.any(Buffer.RESIDUAL, normalise=1, residual=1),
        lambda: writer.any(Buffer.RESIDUAL, normalise=1, residual=1),
        lambda: writer.any(Buffer.VALUE),
        lambda: writer.any(Buffer.OUTPUT),
        writer.attention,
        *[writer.attention_behind] * 2,
        *[writer.source] * 4,
        *[writer.operand] * 2,
        writer.other_stride,
        *[writer.means] * 3,
        writer.mean,
        lambda: writer.second(Buffer(writer.integer(0, 3)), rows=writer.rows()),
        *[writer.selection] * 4,
        writer.selections,
    ]
    for index in writer.rng.permutation(len(steps)):
        writer.step(steps[index])
    return writer


@pytest.mark.parametrize(("lanes", "max_rows", "seeds"), [(16, 32, 40), (32, 40, 6)])
def test_random_programs(
    monkeypatch: pytest.MonkeyPatch, lanes: int, max_rows: int, seeds: int
) -> None:
    monkeypatch.setattr(rtl_build, "_OPTIMISE", "-O1")
    engine = EngineConfig(lanes=lanes, max_rows=max_rows, **SIZES)
    project = rtl_project(engine)
    files = {name.removeprefix(f"{FOLDER}/"): data for name, data in project.items()}
    simulator = compile_rtl(files, Options(twin=True))

    def wrong(seed: int) -> list[tuple[int, str]]:
        program = random_writer(engine, seed).end()
        beats = np.random.default_rng(seed).integers(0, 256, (1, INPUT_BEATS, lanes), np.uint8)
        expected = Interpreter(program).run_all(beats)
        found = []
        for memory in (SLOW, FAST):
            result = run_rtl(simulator, program, beats, memory=memory)
            if result.errors[0] != ErrorCode.NONE:
                found.append((seed, f"{memory}: error {result.errors[0]}"))
            elif different := len(np.argwhere((result.outputs != expected).any(axis=(0, 2)))):
                found.append((seed, f"{memory}: {different} vectors"))
        return found

    with ThreadPoolExecutor(2) as pool:
        assert [item for found in pool.map(wrong, range(seeds)) for item in found] == []
