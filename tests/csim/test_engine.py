# SPDX-License-Identifier: Apache-2.0
"""The whole C++ engine against the interpreter, on random small programs."""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.golden.select import most_heads
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import Attention, End, Load, Matmul, SetTokens, TokenSelect
from hwgen.program.memory import stripe
from hwgen.program.program import Program
from hwgen.program.status import ErrorCode
from tests.csim.writer import INPUT_BEATS, SMALL, random_program

MEAN: dict[str, Any] = dict(
    rows=4, rows_register=0, source_offset_register=0, source_buffer=Buffer.WORK, source_address=0,
    source_stride=4, reduction_slices=2, second_slices=0, normalise=0, gelu=0, residual=0,
    destination_buffer=Buffer.WORK, destination_address=100, destination_stride=4, output_slices=1,
    mean=1, mean_address=200, offset=0,
)  # fmt: skip
"""Fields of a legal MATMUL."""
SECOND = MEAN | {"mean": 0, "second_slices": 1, "second_address": 50, "second_broadcast": 0}
SELECT: dict[str, Any] = dict(
    rows=8, rows_register=0, source_offset_register=0, destination_offset_register=0, slices=2,
    source_address=30, source_stride=20, destination_address=30, destination_stride=20,
    score_address=40, heads=4, threshold=256, limit=8, prefix=1, packages=1, merge=0, package=1,
    count_register=3, end_register=4,
)  # fmt: skip
"""Fields of a legal TOKEN_SELECT."""


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4096)


def engine_case(
    program: Program, image: np.ndarray | None = None, error: ErrorCode | None = None
) -> bytes:
    """One run of ``test_engine.cpp``: its memory and what the interpreter expects.

    Args:
        image: replaces the binary program.
        error: the code to expect of that, or what the interpreter's has to be.
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
    if image is None:
        try:
            output = Interpreter(program).run(beats, observe)[0]
        except EngineFault as fault:
            code = fault.code
        assert error in (None, code)
    else:
        assert error is not None
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


def _with_field(program: Program, kind: type, *, ends: bool = False, **changes: Any) -> Program:
    """``program`` with fields of its last instruction of ``kind`` changed, and the end right behind
    it with ``ends``. Register 14 holds what takes any address out of its buffer, and some beyond
    16 bits.
    """
    index = max(i for i, item in enumerate(program.instructions) if isinstance(item, kind))
    before, rest = program.instructions[:index], program.instructions[index + 1 :]
    changed = replace(program.instructions[index], **changes)
    instructions = (*before, SetTokens(14, 65535), changed, *((End(),) if ends else rest))
    return replace(program, instructions=instructions, labels=tuple("" for _ in instructions))


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
        (Attention, {"heads": 0}),
        (Attention, {"heads": 65535, "head_slices": 255}),
        (Attention, {"rows": engine.score_depth + 1, "rows_register": 0}),
        (Attention, {"value_address": engine.value_depth}),
        (Attention, {"destination_address": engine.work_depth}),
        (Attention, {"query_offset_register": 15}),
        (Attention, {"key_offset_register": 15}),
        (Matmul, {"source_offset_register": 15}),
        (Matmul, {"source_address": 1, "source_offset_register": 15}),
        (Matmul, SECOND | {"second_slices": 255}),
        (Matmul, SECOND | {"second_slices": 2}),
        (Matmul, SECOND | {"second_address": engine.work_depth}),
        (Matmul, SECOND | {"second_address": engine.work_depth, "second_broadcast": 1}),
        (Matmul, SECOND | {"source_buffer": Buffer.RESIDUAL, "normalise": 1}),
        (Matmul, MEAN | {"destination_buffer": Buffer.VALUE}),
        (Matmul, MEAN | {"mean_address": engine.work_depth}),
        *(
            (TokenSelect, SELECT | fields)
            for fields in (
                {"rows": 0, "prefix": 0},
                {"rows": engine.max_rows + 1},
                {"slices": 0},
                {"slices": 3, "source_stride": 7},
                {"slices": 3, "destination_stride": 8},
                {"source_address": engine.residual_depth - 7},
                {"source_offset_register": 15},
                {"source_address": 1, "source_offset_register": 15},
                {"destination_address": engine.residual_depth - 8},
                {"destination_offset_register": 15},
                {"score_address": engine.work_depth - 7},
                {"heads": most_heads(engine.lanes) + 1},
                {"prefix": 9},
                {"prefix": 4, "packages": 5},
                {"prefix": 0, "packages": 0, "limit": 0, "package": 0},
                {"prefix": 0, "packages": 8, "merge": 1, "package": 0},
            )
        ),
    ]
    for kind, fields in ((Matmul, MEAN), (Matmul, SECOND), (TokenSelect, SELECT)):
        engine_case(_with_field(good, kind, ends=True, **fields), error=ErrorCode.NONE)
    bad = [_with_field(good, kind, **fields) for kind, fields in bad_fields]
    cases = [engine_case(program, error=ErrorCode.OUT_OF_RANGE) for program in bad]
    records = len(good.image)
    images = [
        (_damaged(good, 0, 0x4E475749), ErrorCode.BAD_HEADER),
        (_damaged(good, 1, 2), ErrorCode.BAD_HEADER),
        (_damaged(good, 2, engine.digest ^ 1), ErrorCode.WRONG_ENGINE),
        (_damaged(good, 3, 0), ErrorCode.OUT_OF_RANGE),
        (_damaged(good, 3, records - 2), ErrorCode.OUT_OF_RANGE),
        (_damaged(good, 4, 10), ErrorCode.OUT_OF_RANGE),
        (_damaged(good, 0, 6, record=1), ErrorCode.UNKNOWN_OPCODE),
        (_damaged(good, 0, 255, record=records // 2), ErrorCode.UNKNOWN_OPCODE),
    ]
    cases += [engine_case(good, image=image, error=code) for image, code in images]
    token = replace(
        good, instructions=(SetTokens(15, 1), *good.instructions), labels=("", *good.labels)
    )
    cases.append(engine_case(token))
    expected = engine_case(good)
    return [part for case in cases for part in (case, expected)]


def corner_cases(engine: EngineConfig) -> list[bytes]:
    """Selections at the ends of their ranges."""
    good = random_program(engine, 101)
    fields: list[dict[str, Any]] = [
        {},
        {"threshold": 65535},
        {"threshold": 0},
        {"prefix": 0, "packages": 0, "package": 0, "threshold": 65535},  # no row
        {"count_register": 0, "end_register": 0},
        {"count_register": 5, "end_register": 5},
        {"count_register": 15, "end_register": 1},
        {"prefix": 8, "packages": 0, "heads": 0, "package": 0},
        {"prefix": 0, "packages": 8, "merge": 1},
        {"heads": most_heads(engine.lanes), "limit": 2},
        {"slices": 1, "source_stride": 0, "destination_stride": 0},
        {"rows": engine.max_rows, "slices": 1},
    ]
    cases = [_with_field(good, TokenSelect, ends=True, **(SELECT | item)) for item in fields]
    return [engine_case(program, error=ErrorCode.NONE) for program in cases]


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_engine(build: Any, lanes: int) -> None:
    """Output and every instruction's destination; then errors, in the same process."""
    engine = EngineConfig(lanes=lanes, **SMALL)
    bench = build("test_engine", engine)
    bench.passes(*(engine_case(random_program(engine, seed)) for seed in range(8)))
    bench.passes(*corner_cases(engine))
    if lanes == 16:
        bench.passes(*error_cases(engine))
