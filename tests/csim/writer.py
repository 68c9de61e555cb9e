# SPDX-License-Identifier: Apache-2.0
"""Random small programs that are legal and use everything an engine can do."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.golden.select import most_heads
from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.numerics.gelu import gelu_constants
from hwgen.numerics.layer_norm import mean_multiplier
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import most_rows
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
)
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.program.tokens import TOKEN_REGISTERS

SMALL = {
    "max_rows": 100,
    "score_depth": 240,
    "residual_depth": 1600,
    "work_depth": 1400,
    "value_depth": 500,
    "prefetch_depth": 64,
}
OUTPUT_VECTORS = 300
INPUT_BEATS = 70


class NoRoom(Exception):
    """No place was found for a random matrix."""


def _written(fields: dict[str, int], rows: int) -> tuple[int, int]:
    """Rows that a selection with these fields writes at least and at most."""
    plain = {"rows": rows, "rows_register": 0, "slices": 1, "score_address": 0}
    places = {"source_address": 0, "source_stride": 0, "count_register": 0}
    places |= {"destination_address": 0, "destination_stride": 0}
    most = most_rows(TokenSelect(**(fields | plain | places)))
    scored = rows - fields["prefix"] - fields["packages"]
    return most - min(scored, fields["limit"]), most


def vectors(address: int, stride: int, slices: int, rows: int) -> set[int]:
    return {address + s * stride + r for s in range(slices) for r in range(rows)}


@dataclass(frozen=True)
class Selection:
    """Where a TOKEN_SELECT left its rows, and the fields that name its registers.

    Attributes:
        address, stride, slices: of the result; ``offset``, where it is not 0, names a register
            that holds how far behind ``address`` it begins: at most ``spare`` vectors.
        least, most: bounds of the number of rows.
        count, end: the registers written.
        end_most: the end's bound.
    """

    address: int
    stride: int
    slices: int
    least: int
    most: int
    count: int
    end: int
    end_most: int
    offset: int = 0
    spare: int = 0


@dataclass
class Writer:
    """Writes a random legal program. Every buffer is filled before anything reads it.

    Attributes:
        tokens: values of the token registers, as far as they do not depend on the run.
        held: registers that selections wrote and that are still to be used.
        named: registers that the instruction being written names already.
    """

    engine: EngineConfig
    rng: np.random.Generator
    instructions: list[Instruction] = field(default_factory=list)
    beats: list[np.ndarray] = field(default_factory=list)
    tokens: dict[int, int] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    named: set[int] = field(default_factory=set)

    def integer(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def flag(self) -> int:
        return self.integer(0, 1)

    def place(self, depth: int, slices: int, rows: int) -> tuple[int, int]:
        """A random address and stride of a matrix that fits ``depth`` vectors."""
        largest = min(2 * rows, (depth - rows) // max(slices - 1, 1))
        if largest < rows or rows > depth:
            raise NoRoom
        stride = self.integer(rows, largest)
        return self.integer(0, depth - (slices - 1) * stride - rows), stride

    def place_apart(self, depth: int, slices: int, rows: int, taken: set[int]) -> tuple[int, int]:
        """The same, sharing no vector with ``taken``."""
        for _ in range(1000):
            address, stride = self.place(depth, slices, rows)
            if not taken & vectors(address, stride, slices, rows):
                return address, stride
        raise NoRoom

    def step(self, write: Callable[[], object]) -> None:
        """``write``, again and again until its places are found."""
        for _ in range(1000):
            with suppress(NoRoom):
                write()
                return
        raise AssertionError("no room; make the buffers of the test larger")

    def emit(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)
        self.named.clear()

    def register(self) -> int:
        """One that may be written."""
        free = set(range(TOKEN_REGISTERS)) - self.held - self.named
        return int(self.rng.choice(sorted(free)))

    def name(self, value: int) -> int:
        """A field that names a register which holds ``value``."""
        register = self.register()
        if self.tokens.get(register) != value:
            self.tokens[register] = value
            self.instructions.append(SetTokens(register, value))
        self.named.add(register)
        return register + 1

    def count(self, value: int) -> tuple[int, int]:
        """``value`` as a (number, register) pair of fields."""
        if self.flag():
            return value, 0
        return self.integer(0, 65535), self.name(value)

    def offset(self, address: int) -> tuple[int, int]:
        """What of ``address`` a register holds, and the field that names it."""
        if self.flag():
            return 0, 0
        offset = self.integer(0, address)
        return offset, self.name(offset)

    def stream(self, beats: np.ndarray) -> int:
        """Appends to the weight region; the offset of the first beat."""
        offset = sum(len(part) for part in self.beats)
        self.beats.append(beats)
        return offset

    def load(self) -> None:
        engine, lanes = self.engine, self.engine.lanes
        work = self.rng.integers(-127, 128, (engine.work_depth, lanes)).astype(np.int8)
        offset = self.stream(work.view(np.uint8))
        self.instructions.append(Load(Region.WEIGHTS, offset, Buffer.WORK, 0, engine.work_depth))
        depth = engine.residual_depth
        size = 2.0 ** self.rng.uniform(3, 14.5, (depth, 1))
        residual = np.clip(self.rng.normal(0, size, (depth, lanes)), -32767, 32767)
        residual[self.integer(0, depth - 1)] = 0
        residual[self.integer(0, depth - 1)] = 32767
        residual[self.integer(0, depth - 1)] = -32767
        offset = self.stream(residual.astype("<i2").view(np.uint8).reshape(-1, lanes))
        self.instructions.append(Load(Region.WEIGHTS, offset, Buffer.RESIDUAL, 0, depth))

    def load_input(self) -> None:
        count = self.integer(1, 60)
        address = self.integer(0, self.engine.work_depth - count)
        offset = self.integer(0, INPUT_BEATS - count)
        self.instructions.append(
            Load(Region.INPUT, offset, Buffer.WORK, address, count, self.flag())
        )

    def parameters(self, inputs: int, outputs: int, spread: float) -> np.ndarray:
        """The weight stream of a layer whose results have about that standard deviation."""
        weights = self.rng.integers(-127, 128, (outputs, inputs))
        if self.integer(0, 3) == 0:
            weights = np.where(weights < 0, -127, 127)
        sigma = np.sqrt(inputs) * 73 * 73
        bias = self.rng.normal(0, sigma / 2, outputs)
        ratios = [
            ratio_from(spread / sigma * 2.0 ** self.rng.uniform(-2, 2)) for _ in range(outputs)
        ]
        ratios[0], ratios[1] = Ratio(65535, 1), Ratio(1, 47)
        bias[0], bias[1] = (1 << 25), -(1 << 25)
        return pack_parameters(
            LayerParameters(
                weights,
                bias.astype(np.int64),
                np.array([r.multiplier for r in ratios]),
                np.array([r.shift for r in ratios]),
            ),
            self.engine.lanes,
        )

    def matmul(
        self,
        destination: Buffer,
        source_place: tuple[int, int] | None = None,
        operand: tuple[int, int] | None = None,
        **wanted: int,
    ) -> Matmul:
        """A matrix product of random shape and places (address, stride), but for those given;
        ``wanted`` sets fields.
        """
        engine, lanes = self.engine, self.engine.lanes
        narrow = destination in (Buffer.WORK, Buffer.VALUE)
        rows = wanted.pop("rows", self.integer(1, engine.max_rows))
        reductions = wanted.pop("reduction_slices", self.integer(1, 3))
        outputs = wanted.pop("output_slices", self.integer(1, 2))
        normalise = wanted.pop("normalise", self.flag())
        gelu = wanted.pop("gelu", self.flag() if narrow else 0)
        residual = wanted.pop("residual", 0 if narrow else self.flag())
        second = wanted.pop("second_slices", 0)
        broadcast = wanted.pop("second_broadcast", 0)
        mean = wanted.pop("mean", 0)
        rows_register = wanted.pop("rows_register", 0)
        offset_register = wanted.pop("source_offset_register", 0)
        assert not wanted
        fields: dict[str, Any] = {}
        source = Buffer.RESIDUAL if normalise else Buffer.WORK
        depths = {
            Buffer.RESIDUAL: engine.residual_depth,
            Buffer.WORK: engine.work_depth,
            Buffer.VALUE: engine.value_depth,
            Buffer.OUTPUT: OUTPUT_VECTORS,
        }
        first = reductions - second
        address, stride = source_place or self.place(depths[source], first, rows)
        taken = vectors(address, stride, first, rows) if source == destination else set()
        if second:
            last = (1, second, 1) if broadcast else (stride, second, rows)
            room = engine.work_depth - (second - 1) * last[0] - last[2]
            if room < 0:
                raise NoRoom
            fields |= {"second_slices": second, "second_broadcast": broadcast}
            fields["second_address"] = self.integer(0, room)
            if destination == Buffer.WORK:
                taken |= vectors(fields["second_address"], *last)
        if operand is not None and destination == Buffer.RESIDUAL:
            taken = taken | vectors(*operand, outputs, rows)
        target = self.place_apart(depths[destination], outputs, rows, taken)
        if residual:
            if operand is None and (destination == Buffer.OUTPUT or self.flag()):
                taken = taken | vectors(*target, outputs, rows)
                operand = self.place_apart(engine.residual_depth, outputs, rows, taken)
            fields["residual_address"], fields["residual_stride"] = operand or target
        if mean:
            taken = taken | vectors(*target, outputs, rows)
            fields["mean"] = 1
            fields["mean_address"], _ = self.place_apart(engine.work_depth, 1, outputs, taken)
        if gelu:
            constants = gelu_constants(1.0 if self.flag() else 0.5)
            ratio = ratio_from(2.0**-12 / self.rng.uniform(0.01, 0.2))
            fields |= {
                "gelu_one": constants.one,
                "gelu_slope": constants.slope,
                "gelu_multiplier": ratio.multiplier,
                "gelu_shift": ratio.shift,
            }
        if normalise:
            columns = reductions * lanes
            ratio = ratio_from(columns / 64 * self.rng.uniform(15, 60))
            fields |= {
                "columns": columns,
                "mean_multiplier": mean_multiplier(columns),
                "epsilon": self.integer(0, 1 << self.integer(1, 40)),
                "normalise_multiplier": ratio.multiplier,
                "normalise_shift": ratio.shift,
            }
        spread = 3000.0 if gelu or not narrow else 60.0
        beats = self.parameters(reductions * lanes, outputs * lanes, spread)
        offset = self.stream(beats)
        number, rows_register = (0, rows_register) if rows_register else self.count(rows)
        moved = 0
        if not offset_register:
            moved, offset_register = self.offset(address)
        op = Matmul(
            rows=number,
            rows_register=rows_register,
            source_buffer=source,
            source_address=address - moved,
            source_offset_register=offset_register,
            source_stride=stride,
            reduction_slices=reductions,
            destination_buffer=destination,
            destination_address=target[0],
            destination_stride=target[1],
            output_slices=outputs,
            offset=offset,
            residual=residual,
            gelu=gelu,
            normalise=normalise,
            **fields,
        )
        self.emit(op)
        return op

    def second(self, destination: Buffer, **wanted: int) -> Matmul:
        """A matrix product of two sources."""
        slices, others = self.integer(1, 2), self.integer(1, 2)
        sources = {"reduction_slices": slices + others, "second_slices": others}
        sources["second_broadcast"] = self.flag()
        return self.matmul(destination, normalise=0, **(sources | wanted))

    def mean(self, **wanted: int) -> Matmul:
        """A matrix product whose rows are averaged too, and one that reads the means."""
        op = self.matmul(Buffer.WORK, mean=1, **wanted)
        self.matmul(
            Buffer.WORK if self.flag() else Buffer.RESIDUAL,
            (op.mean_address, op.output_slices),
            rows=op.output_slices,
            reduction_slices=1,
            normalise=0,
        )
        return op

    def attention(self, counted: Selection | None = None) -> None:
        """V by a matrix product, then the attention that reads it; rows and keys may be as many
        as a selection left.
        """
        engine, lanes = self.engine, self.engine.lanes
        heads, head_slices = self.integer(1, 3), self.integer(1, 2)
        slices = heads * head_slices
        keys = self.integer(1, min(engine.max_rows, engine.value_depth // slices))
        most = min(engine.max_rows, engine.score_depth // -(-keys // lanes))
        rows = self.integer(1, min(most, 50))
        if counted:
            rows = keys = counted.most
        value = self.matmul(
            Buffer.VALUE,
            rows=keys,
            rows_register=counted.count if counted else 0,
            output_slices=slices,
            reduction_slices=1,
            gelu=0,
        )
        query = self.place(engine.work_depth, slices, rows)
        key = self.place_apart(engine.work_depth, slices, keys, vectors(*query, slices, rows))
        target = query
        if self.flag():
            taken = vectors(*query, slices, rows) | vectors(*key, slices, keys)
            target = self.place_apart(engine.work_depth, slices, rows, taken)
        score = ratio_from(self.rng.uniform(10, 60) / (np.sqrt(head_slices * lanes) * 73 * 73))
        output = ratio_from(self.rng.uniform(0.5, 3))
        query_offset = self.offset(min(query[0], target[0]))
        key_offset = self.offset(min(key[0], value.destination_address))
        number, rows_register = (0, counted.count) if counted else self.count(rows)
        keys_number, keys_register = (0, counted.count) if counted else self.count(keys)
        self.emit(
            Attention(
                rows=number,
                rows_register=rows_register,
                keys=keys_number,
                keys_register=keys_register,
                query_address=query[0] - query_offset[0],
                query_stride=query[1],
                query_offset_register=query_offset[1],
                key_address=key[0] - key_offset[0],
                key_stride=key[1],
                key_offset_register=key_offset[1],
                value_address=value.destination_address - key_offset[0],
                value_stride=value.destination_stride,
                destination_address=target[0] - query_offset[0],
                destination_stride=target[1],
                heads=heads,
                head_slices=head_slices,
                score_multiplier=score.multiplier,
                score_shift=score.shift,
                exponent_multiplier=self.integer(50, 4000),
                output_multiplier=output.multiplier,
                output_shift=output.shift,
            )
        )

    def scores(self, rows: int) -> int:
        """Loads scores of rows, extreme ones too; their address."""
        lanes = self.engine.lanes
        keep, drop = np.full((rows, lanes), 127), np.full((rows, lanes), -127)
        one = drop.copy()
        one[self.integer(0, rows - 1)] = 127
        spread = self.rng.uniform(1, 80)
        random = self.rng.normal(0, spread, (rows, lanes)).clip(-127, 127)
        edges = self.rng.choice([-128, -80, -38, -16, -1, 0, 1, 16, 38, 80, 127], (rows, lanes))
        kinds = (keep, drop, one, random, random, random, edges)
        chosen = kinds[self.integer(0, len(kinds) - 1)].astype(np.int8)
        address, _ = self.place(self.engine.work_depth, 1, rows)
        offset = self.stream(chosen.view(np.uint8))
        self.emit(Load(Region.WEIGHTS, offset, Buffer.WORK, address, rows))
        return address

    def decision(self, least: int, most: int) -> dict[str, int]:
        """Fields of a selection among ``least`` to ``most`` rows; at least one row is written."""
        prefix = self.integer(0, min(least, 2))
        return {
            "prefix": prefix,
            "packages": self.integer(0, min(least - prefix, 3)),
            "merge": self.flag(),
            "package": self.flag() if prefix else 1,
            "heads": self.integer(0, most_heads(self.engine.lanes)),
            "threshold": int(self.rng.choice([0, 128, 230, 256, 256, 282, 400, 511, 65535])),
            "limit": int(self.rng.choice([0, 1, most // 2, 65535, 65535])),
        }

    def select(self, **wanted: int) -> Selection:
        """A selection, into its own place, below it, or apart; ``wanted`` sets fields."""
        self.held.clear()
        depth = self.engine.residual_depth
        rows = wanted.pop("rows", self.integer(1, self.engine.max_rows))
        slices = wanted.pop("slices", self.integer(1, 3))
        fields = self.decision(rows, rows) | wanted
        most = _written(fields, rows)[1]
        source = target = self.place(depth, slices, max(rows, most))
        match self.integer(0, 2):
            case 1:
                target = (self.integer(0, source[0]), source[1])
            case 2:
                taken = vectors(*source, slices, rows)
                target = self.place_apart(depth, slices, most, taken)
        fields["score_address"] = self.scores(rows)
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
        }
        count, end = self.select_registers(fields)
        least = _written(fields, rows)[0]
        return Selection(*target, slices, least, most, count, end, target_offset + most)

    def select_behind(self, first: Selection) -> Selection:
        """A selection among the rows that another left, to a place that the other's end moves."""
        rows, depth = first.most, self.engine.residual_depth
        fields = self.decision(first.least, rows)
        least, most = _written(fields, first.least)[0], _written(fields, rows)[1]
        taken = vectors(first.address, first.stride, first.slices, rows + first.spare)
        target = self.place_apart(depth, first.slices, most + first.end_most, taken)
        fields["score_address"] = self.scores(rows)
        fields |= {
            "rows": 0,
            "rows_register": first.count,
            "source_address": first.address,
            "source_stride": first.stride,
            "source_offset_register": first.offset,
            "destination_address": target[0],
            "destination_stride": target[1],
            "destination_offset_register": first.end,
            "slices": first.slices,
        }
        count, end = self.select_registers(fields)
        bounds = (least, most, count, end, first.end_most + most)
        return Selection(*target, first.slices, *bounds, first.end, first.end_most)

    def select_registers(self, fields: dict[str, int]) -> tuple[int, int]:
        """Writes the instruction; the fields that name its two registers."""
        registers = []
        self.named.clear()  # what the instruction names it reads before it writes
        for _ in range(2):
            registers.append(self.register())
            self.held.add(registers[-1])
            self.tokens.pop(registers[-1], None)
        count, end = (register + 1 for register in registers)
        self.emit(TokenSelect(**fields, count_register=count, end_register=end))
        return count, end

    def use(self, rows: Selection) -> None:
        """A matrix product and attention of as many rows as a selection left."""
        self.matmul(
            Buffer.WORK if self.flag() else Buffer.OUTPUT,
            (rows.address, rows.stride),
            rows=rows.most + rows.spare,
            rows_register=rows.count,
            source_offset_register=rows.offset,
            reduction_slices=rows.slices,
            normalise=1,
        )
        if rows.most * -(-rows.most // self.engine.lanes) <= self.engine.score_depth:
            self.attention(rows)

    def selections(self) -> None:
        """A selection, one among its rows, and instructions that use both."""
        first = self.select()
        self.use(first)
        second = self.select_behind(first)
        self.use(second)

    def program(self) -> Program:
        instructions = (*self.instructions, End())
        return Program(
            name="random",
            engine=self.engine,
            instructions=instructions,
            labels=tuple("" for _ in instructions),
            weights=np.concatenate(self.beats),
            input=InputLayout(1, INPUT_BEATS, 1, 1),
            output=OutputLayout(OUTPUT_VECTORS, self.engine.lanes, 1.0),
        )


def random_program(engine: EngineConfig, seed: int) -> Program:
    """Every flag combination over a few seeds: destinations by turns, flags by chance."""
    writer = Writer(engine, np.random.default_rng(seed))
    writer.load()
    steps: list[Callable[[], object]] = [
        writer.load_input,
        lambda: writer.matmul(Buffer.WORK),
        lambda: writer.matmul(Buffer.WORK, normalise=1, gelu=1),
        lambda: writer.matmul(Buffer.RESIDUAL),
        lambda: writer.matmul(Buffer.RESIDUAL, normalise=1, residual=1),
        lambda: writer.matmul(Buffer.VALUE),
        writer.attention,
        lambda: writer.matmul(Buffer.OUTPUT),
        lambda: writer.matmul(Buffer.OUTPUT, residual=1),
        lambda: writer.second(Buffer.WORK),
        lambda: writer.second(Buffer.RESIDUAL),
        writer.mean,
        lambda: writer.mean(normalise=0, reduction_slices=3, second_slices=1, second_broadcast=1),
        writer.selections,
    ]
    for index in [*writer.rng.permutation(len(steps)), *writer.rng.permutation(len(steps))]:
        writer.step(steps[index])
    return writer.program()
