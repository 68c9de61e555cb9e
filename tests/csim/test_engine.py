# SPDX-License-Identifier: Apache-2.0
"""The whole C++ engine against the interpreter, on random small programs."""

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.numerics.gelu import gelu_constants
from hwgen.numerics.layer_norm import mean_multiplier
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import Attention, End, Instruction, Load, Matmul, SetTokens
from hwgen.program.memory import stripe
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.program.status import ErrorCode

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


def vectors(address: int, stride: int, slices: int, rows: int) -> set[int]:
    return {address + s * stride + r for s in range(slices) for r in range(rows)}


@dataclass
class Writer:
    """Writes a random legal program. Every buffer is filled before anything reads it."""

    engine: EngineConfig
    rng: np.random.Generator
    instructions: list[Instruction] = field(default_factory=list)
    beats: list[np.ndarray] = field(default_factory=list)
    tokens: dict[int, int] = field(default_factory=dict)

    def integer(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def flag(self) -> int:
        return self.integer(0, 1)

    def place(self, depth: int, slices: int, rows: int) -> tuple[int, int]:
        """A random address and stride of a matrix that fits ``depth`` vectors."""
        stride = self.integer(rows, min(2 * rows, (depth - rows) // max(slices - 1, 1)))
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

    def count(self, value: int) -> tuple[int, int]:
        """``value`` as a (number, register) pair of fields."""
        if self.flag():
            return value, 0
        register = self.integer(0, 7)
        if self.tokens.get(register) != value:
            self.tokens[register] = value
            self.instructions.append(SetTokens(register, value))
        return self.integer(0, 65535), register + 1

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
        assert not wanted
        fields: dict[str, Any] = {}
        source = Buffer.RESIDUAL if normalise else Buffer.WORK
        depths = {
            Buffer.RESIDUAL: engine.residual_depth,
            Buffer.WORK: engine.work_depth,
            Buffer.VALUE: engine.value_depth,
            Buffer.OUTPUT: OUTPUT_VECTORS,
        }
        address, stride = source_place or self.place(depths[source], reductions, rows)
        taken = vectors(address, stride, reductions, rows) if source == destination else set()
        if operand is not None and destination == Buffer.RESIDUAL:
            taken = taken | vectors(*operand, outputs, rows)
        target = self.place_apart(depths[destination], outputs, rows, taken)
        if residual:
            if operand is None and (destination == Buffer.OUTPUT or self.flag()):
                taken = taken | vectors(*target, outputs, rows)
                operand = self.place_apart(engine.residual_depth, outputs, rows, taken)
            fields["residual_address"], fields["residual_stride"] = operand or target
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
        number, register = self.count(rows)
        op = Matmul(
            rows=number,
            rows_register=register,
            source_buffer=source,
            source_address=address,
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
        self.instructions.append(op)
        return op

    def attention(self) -> None:
        """V by a matrix product, then the attention that reads it."""
        engine, lanes = self.engine, self.engine.lanes
        heads, head_slices = self.integer(1, 3), self.integer(1, 2)
        slices = heads * head_slices
        keys = self.integer(1, min(engine.max_rows, engine.value_depth // slices))
        value = self.matmul(
            Buffer.VALUE, rows=keys, output_slices=slices, reduction_slices=1, gelu=0
        )
        most = min(engine.max_rows, engine.score_depth // -(-keys // lanes))
        rows = self.integer(1, min(most, 50))
        query = self.place(engine.work_depth, slices, rows)
        key = self.place_apart(engine.work_depth, slices, keys, vectors(*query, slices, rows))
        target = query
        if self.flag():
            taken = vectors(*query, slices, rows) | vectors(*key, slices, keys)
            target = self.place_apart(engine.work_depth, slices, rows, taken)
        score = ratio_from(self.rng.uniform(10, 60) / (np.sqrt(head_slices * lanes) * 73 * 73))
        output = ratio_from(self.rng.uniform(0.5, 3))
        rows_fields, keys_fields = self.count(rows), self.count(keys)
        rows_fields = self._still(rows_fields, rows)
        self.instructions.append(
            Attention(
                *rows_fields,
                *keys_fields,
                *query,
                *key,
                value.destination_address,
                value.destination_stride,
                *target,
                heads,
                head_slices,
                score.multiplier,
                score.shift,
                self.integer(50, 4000),
                output.multiplier,
                output.shift,
            )
        )

    def _still(self, fields: tuple[int, int], value: int) -> tuple[int, int]:
        """``fields``, unless their register has been given another value since."""
        register = fields[1]
        return fields if not register or self.tokens[register - 1] == value else (value, 0)

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
    ]
    for index in [*writer.rng.permutation(len(steps)), *writer.rng.permutation(len(steps))]:
        writer.step(steps[index])
    return writer.program()


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4096)


def engine_case(
    program: Program, image: np.ndarray | None = None, error: ErrorCode | None = None
) -> bytes:
    """One run of ``test_engine.cpp``: its memory and what the interpreter expects.

    Args:
        image: replaces the binary program.
        error: the code to expect; the effects before the error are then not compared.
    """
    rng = np.random.default_rng(1)
    lanes = program.engine.lanes
    beats = rng.integers(0, 256, (1, INPUT_BEATS, lanes), np.uint8)
    trace: list[bytes] = []

    def observe(index: int, extent: Extent, vectors: np.ndarray) -> None:
        if extent.buffer == Buffer.OUTPUT:
            return
        place = (extent.address, extent.stride, extent.slices, extent.rows)
        trace.append(struct.pack("<6I", index, extent.buffer, *place))
        trace.append(vectors[0].astype("<i2").tobytes())

    output = np.zeros(0, np.int16)
    code = ErrorCode.NONE
    if error is None:
        try:
            output = Interpreter(program).run(beats, observe)[0]
        except EngineFault as fault:
            code = fault.code
    else:
        code = error
    binary = program.image if image is None else image
    padding = bytes(4096)
    head = padding + _aligned(binary.astype("<u4").tobytes())
    weights = _aligned(stripe(program.weights).tobytes())
    memory = head + weights + stripe(beats[0]).tobytes()
    numbers = (code, len(memory) // 16, output.size, len(trace) // 2)
    addresses = (len(padding), len(head), len(head) + len(weights))
    head_of_case = struct.pack("<3Q4I", *addresses, *numbers)
    return b"".join([head_of_case, memory, output.astype("<i2").tobytes(), *trace])


def _with_field(program: Program, kind: type, **changes: Any) -> Program:
    """``program`` with fields of its last instruction of ``kind`` changed."""
    index = max(i for i, item in enumerate(program.instructions) if isinstance(item, kind))
    instructions = list(program.instructions)
    instructions[index] = replace(instructions[index], **changes)
    return replace(program, instructions=tuple(instructions))


def _damaged(program: Program, word: int, value: int, record: int = 0) -> np.ndarray:
    """The binary program with one 32-bit word changed; record 0 is the header."""
    image = program.image.copy()
    image[record, word] = value
    return image


def error_cases(engine: EngineConfig) -> list[bytes]:
    """Programs that must end with an error, each followed by one that must run."""
    good = random_program(engine, 100)
    beats = len(good.weights)
    bad_fields: list[tuple[type, dict[str, Any]]] = [
        (Load, {"vectors": engine.work_depth + 1}),
        (Load, {"vectors": 0}),
        (Load, {"destination_buffer": Buffer.VALUE}),
        (Load, {"region": Region.WEIGHTS, "offset": beats}),
        (Matmul, {"rows": engine.max_rows + 1, "rows_register": 0}),
        (Matmul, {"rows": 0, "rows_register": 0}),
        (Matmul, {"rows_register": 9}),
        (Matmul, {"source_address": 65535}),
        (Matmul, {"source_stride": 65535, "reduction_slices": 3}),
        (Matmul, {"output_slices": 0}),
        (Matmul, {"output_slices": 65535, "reduction_slices": 65535}),
        (Matmul, {"source_buffer": Buffer.VALUE}),
        (Matmul, {"destination_buffer": Buffer.WORK, "residual": 1}),
        (Matmul, {"destination_buffer": Buffer.OUTPUT, "gelu": 1}),
        (Matmul, {"offset": beats - 1}),
        (Matmul, {"offset": (1 << 32) - 1}),
        (Attention, {"keys": 0, "keys_register": 0}),
        (Attention, {"keys_register": 15}),
        (Attention, {"heads": 0}),
        (Attention, {"heads": 65535, "head_slices": 255}),
        (Attention, {"rows": engine.score_depth + 1, "rows_register": 0}),
        (Attention, {"value_address": engine.value_depth}),
        (Attention, {"destination_address": engine.work_depth}),
    ]
    cases = [engine_case(_with_field(good, kind, **fields)) for kind, fields in bad_fields]
    records = len(good.image)
    images = [
        (_damaged(good, 0, 0x4E475749), ErrorCode.BAD_HEADER),
        (_damaged(good, 1, 2), ErrorCode.BAD_HEADER),
        (_damaged(good, 2, engine.digest ^ 1), ErrorCode.WRONG_ENGINE),
        (_damaged(good, 3, 0), ErrorCode.OUT_OF_RANGE),
        (_damaged(good, 3, records - 2), ErrorCode.OUT_OF_RANGE),
        (_damaged(good, 4, 10), ErrorCode.OUT_OF_RANGE),
        (_damaged(good, 0, 5, record=1), ErrorCode.UNKNOWN_OPCODE),
        (_damaged(good, 0, 255, record=records // 2), ErrorCode.UNKNOWN_OPCODE),
    ]
    cases += [engine_case(good, image=image, error=code) for image, code in images]
    token = replace(
        good, instructions=(SetTokens(8, 1), *good.instructions), labels=("", *good.labels)
    )
    cases.append(engine_case(token))
    expected = engine_case(good)
    return [part for case in cases for part in (case, expected)]


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_engine(build: Any, lanes: int) -> None:
    """Output and every instruction's destination; then errors, in the same process."""
    engine = EngineConfig(lanes=lanes, **SMALL)
    bench = build("test_engine", engine)
    bench.passes(*(engine_case(random_program(engine, seed)) for seed in range(6)))
    if lanes == 16:
        bench.passes(*error_cases(engine))
