# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.numerics.fixed_point import ratio_from
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import Attention, End, Instruction, Load, Matmul, SetTokens
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
        (matmul(rows_register=9), "a token register that holds no rows"),
        (replace(LOAD, destination_buffer=Buffer.VALUE), "load into the value buffer"),
        (replace(LOAD, destination_address=62), "load beyond the buffer"),
        (SetTokens(15, 1), "no such token register"),
    ],
)
def test_bad_operands_stop_the_engine(instruction: Instruction, why: str) -> None:
    assert fault(program(LOAD, instruction, End())) == (ErrorCode.OUT_OF_RANGE, 1), why


def two_sources() -> np.ndarray:
    """Parameters, the identity on the first slice, and twice the mirrored second one."""
    weights = np.zeros((40, 16), np.uint8)
    weights[:24] = program().weights
    weights[24:] = 2 * np.eye(16, dtype=np.uint8)[::-1]
    return weights


TWO = dict(reduction_slices=2, second_slices=1)


def test_second_source_follows_the_slices_of_the_first() -> None:
    p = program(LOAD, matmul(**TWO, source_stride=9, second_address=2, rows=2, source_address=1),
                End(), weights=two_sources())  # fmt: skip
    pixels = p.input.pack(images(), 16).astype(int) - 128
    expected = (pixels[:, 1:3] + 2 * pixels[:, 2:4, ::-1] + 1) >> 1
    assert (run(p)[:, :2] == expected).all()


def test_broadcast_second_source_goes_with_every_row() -> None:
    op = matmul(**TWO, second_broadcast=1, second_address=2)
    p = program(LOAD, op, End(), weights=two_sources())
    pixels = p.input.pack(images(), 16).astype(int) - 128
    assert (run(p) == (pixels + 2 * pixels[:, 2:3, ::-1] + 1) >> 1).all()


def test_mean_of_all_rows_is_written_too() -> None:
    narrow = matmul(destination_buffer=Buffer.WORK, destination_address=10, mean=1, mean_address=33)
    p = program(LOAD, narrow, matmul(source_address=33, rows=1), End())
    pixels = p.input.pack(images(), 16).astype(int) - 128
    half = np.clip((pixels + 1) >> 1, -127, 127)
    mean = (half.sum(axis=1) + 2) >> 2
    assert (run(p)[:, 0] == (mean + 1) >> 1).all()


def test_means_of_two_slices_are_consecutive_vectors() -> None:
    weights = np.concatenate([program().weights, program().weights])
    weights[32:] = weights[32:, ::-1]  # the second output slice mirrors
    narrow = matmul(destination_buffer=Buffer.WORK, destination_address=10, output_slices=2, rows=3,
                    mean=1, mean_address=33)  # fmt: skip
    both = matmul(source_address=33, rows=2)
    p = program(LOAD, narrow, both, End(), weights=weights)
    output = run(p)
    assert (output[:, 1] == output[:, 0, ::-1]).all()
    assert output[:, 0].any()


def test_source_offset_comes_from_a_register() -> None:
    p = program(SetTokens(14, 3), LOAD, matmul(rows=1, source_offset_register=15), End())
    assert (run(p)[:, 0] == run(program(LOAD, matmul(), End()))[:, 3]).all()


def attention(**fields: int) -> Attention:
    base = dict(
        rows=2, rows_register=0, keys=3, keys_register=0, query_address=0, query_stride=2,
        key_address=0, key_stride=4, value_address=0, value_stride=4, destination_address=40,
        destination_stride=2, heads=1, head_slices=1, score_multiplier=40000, score_shift=24,
        exponent_multiplier=2000, output_multiplier=40000, output_shift=15,
    )  # fmt: skip
    return Attention(**(base | fields))


def attended(*instructions: Instruction) -> tuple[int, np.ndarray]:
    """Address and vectors of the attention's result."""
    value = matmul(destination_buffer=Buffer.VALUE)
    p = program(LOAD, value, *instructions, End())
    seen: list[tuple[Extent, np.ndarray]] = []
    Interpreter(p).run(
        p.input.pack(images(1), 16), lambda _, extent, vectors: seen.append((extent, vectors))
    )
    return seen[-1][0].address, seen[-1][1]


def test_attention_offsets_come_from_registers() -> None:
    registers = attended(
        SetTokens(3, 2), SetTokens(4, 1), attention(query_offset_register=4, key_offset_register=5)
    )
    by_hand = attended(
        attention(query_address=2, destination_address=42, key_address=1, value_address=1)
    )
    assert registers[0] == by_hand[0] == 42
    assert (registers[1] == by_hand[1]).all()
    assert (registers[1] != attended(attention())[1]).any()


@pytest.mark.parametrize(
    ("instruction", "why"),
    [
        (matmul(**TWO, second_address=61), "second source beyond the buffer"),
        (matmul(**TWO, second_address=64, second_broadcast=1), "broadcast row beyond"),
        (matmul(reduction_slices=2, second_slices=2), "no slice of the first source"),
        (matmul(reduction_slices=1, second_slices=255), "more second slices than slices"),
        (matmul(reduction_slices=3, second_slices=2, source_stride=3), "slices that overlap"),
        (
            matmul(**TWO, normalise=1, source_buffer=Buffer.RESIDUAL),
            "a normalised source and a second one",
        ),
        (matmul(mean=1), "mean of an output"),
        (matmul(mean=1, destination_buffer=Buffer.VALUE), "mean of values"),
        (
            matmul(mean=1, destination_buffer=Buffer.WORK, destination_address=8, mean_address=64),
            "mean beyond the buffer",
        ),
        (matmul(source_offset_register=1), "source beyond the buffer by its offset"),
        (attention(query_offset_register=1), "queries beyond the buffer by their offset"),
        (
            attention(query_offset_register=2, destination_address=60),
            "result beyond the buffer by its offset",
        ),
        (attention(key_offset_register=2, value_address=27), "values beyond by their offset"),
        (attention(key_offset_register=2, key_address=59), "keys beyond by their offset"),
    ],
)
def test_bad_operands_of_the_extensions(instruction: Instruction, why: str) -> None:
    p = program(LOAD, SetTokens(0, 65535), SetTokens(1, 3), instruction, End())
    p = replace(p, weights=np.concatenate([p.weights, np.zeros((5000, 16), np.uint8)]))
    assert fault(p) == (ErrorCode.OUT_OF_RANGE, 3), why


def test_a_mean_has_at_most_2048_rows() -> None:
    big = replace(ENGINE, max_rows=4096, work_depth=65535)
    narrow = matmul(destination_buffer=Buffer.WORK, destination_address=10000, mean=1,
                    mean_address=30000)  # fmt: skip
    for rows in (2048, 2049):
        p = replace(program(replace(narrow, rows=rows), End()), engine=big)
        if rows <= 2048:
            run(p, 1)
        else:
            assert fault(p) == (ErrorCode.OUT_OF_RANGE, 0)


def test_a_program_without_end_stops_the_engine() -> None:
    assert fault(program(LOAD)) == (ErrorCode.OUT_OF_RANGE, 1)
