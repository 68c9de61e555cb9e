# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.numerics.fixed_point import ratio_from
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import End, Instruction, Load, Matmul, SetTokens
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.program.status import ErrorCode

ENGINE = EngineConfig(lanes=16, residual_depth=64, work_depth=64, value_depth=32, max_rows=32)
LOAD = Load(Region.INPUT, 0, Buffer.WORK, 0, 4, offset_binary=1)
HALF = ratio_from(0.5)


def matmul(**fields: int) -> Matmul:
    base = dict(
        rows=4, rows_register=0, source_buffer=Buffer.WORK, source_address=0, source_stride=4,
        reduction_slices=1, destination_buffer=Buffer.OUTPUT, destination_address=0,
        destination_stride=4, output_slices=1, offset=0,
    )  # fmt: skip
    return Matmul(**(base | fields))


def program(*instructions: Instruction, weights: np.ndarray | None = None) -> Program:
    if weights is None:  # parameters, then the identity
        weights = np.zeros((24, 16), np.uint8)
        head = weights[:8].reshape(16, 8)
        head[:, 4:6] = np.array([HALF.multiplier], "<u2").view(np.uint8)
        head[:, 6] = HALF.shift
        weights[8:] = np.eye(16, dtype=np.uint8)
    return Program(
        "test", ENGINE, instructions, tuple("abcdefgh"[: len(instructions)]), weights,
        InputLayout(4, 4, 4, 2), OutputLayout(4, 16, 1.0),
    )  # fmt: skip


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 4), dtype=np.uint8)


def run(instructions: Program, count: int = 2) -> np.ndarray:
    return Interpreter(instructions).run(instructions.input.pack(images(count), 16))


def fault(instructions: Program) -> tuple[ErrorCode, int]:
    with pytest.raises(EngineFault) as caught:
        run(instructions)
    return caught.value.code, caught.value.index


def test_identity_product_halves_the_pixels() -> None:
    p = program(LOAD, matmul(), End())
    pixels = p.input.pack(images(), 16).astype(int) - 128
    assert (run(p) == (pixels + 1) >> 1).all()


def test_token_register_gives_the_row_count() -> None:
    p = program(SetTokens(3, 2), LOAD, matmul(rows=99, rows_register=4), End())
    full = run(program(LOAD, matmul(), End()))
    assert (run(p)[:, :2] == full[:, :2]).all()
    assert (run(p)[:, 2:] == 0).all()


def test_batches_are_independent() -> None:
    p = program(LOAD, matmul(), End())
    assert (run(p, 3)[:2] == run(p, 2)).all()


def test_observer_sees_what_each_instruction_wrote() -> None:
    p = program(LOAD, matmul(), End())
    seen: list[tuple[int, Extent, np.ndarray]] = []
    Interpreter(p).run(p.input.pack(images(1), 16), lambda *event: seen.append(event))
    assert [index for index, _, _ in seen] == [0, 1]
    assert seen[0][1] == Extent(Buffer.WORK, 0, 0, 1, 4)
    assert seen[1][2].shape == (1, 1, 4, 16)
    assert seen[1][2].dtype == np.int16


@pytest.mark.parametrize(
    ("instruction", "why"),
    [
        (matmul(source_address=61), "source beyond the buffer"),
        (matmul(destination_buffer=Buffer.VALUE, destination_address=29), "destination beyond"),
        (matmul(rows=33), "more rows than the accumulator"),
        (matmul(reduction_slices=2, source_stride=3), "slices that overlap"),
        (matmul(destination_address=1), "output beyond the region"),
        (replace(LOAD, offset=1), "input beyond the region"),
        (matmul(rows=0), "no rows"),
        (matmul(gelu=1), "GELU into 16 bits"),
        (matmul(residual=1, destination_buffer=Buffer.WORK), "residual into 8 bits"),
        (matmul(source_buffer=Buffer.RESIDUAL), "residual source without normalise"),
        (matmul(normalise=1), "normalise from the work buffer"),
        (matmul(source_buffer=Buffer.VALUE), "source in the value buffer"),
        (matmul(offset=1), "weights beyond the region"),
        (matmul(rows_register=9), "no such token register"),
        (replace(LOAD, destination_buffer=Buffer.VALUE), "load into the value buffer"),
        (replace(LOAD, destination_address=62), "load beyond the buffer"),
        (SetTokens(8, 1), "no such token register"),
    ],
)
def test_bad_operands_stop_the_engine(instruction: Instruction, why: str) -> None:
    assert fault(program(LOAD, instruction, End())) == (ErrorCode.OUT_OF_RANGE, 1), why


def test_a_program_without_end_stops_the_engine() -> None:
    assert fault(program(LOAD)) == (ErrorCode.OUT_OF_RANGE, 1)
