# SPDX-License-Identifier: Apache-2.0
"""Multiplications per instruction."""

from collections.abc import Callable

from hwgen.estimate.work import macs
from hwgen.program.instructions import SetTokens
from hwgen.program.program import Program
from hwgen.program.tokens import resolved

Make = Callable[..., object]


def counted(program: Program) -> list[int]:
    lanes = program.engine.lanes
    return [macs(instruction, lanes) for instruction in resolved(program)]


def test_matmul_and_attention(program: Make, matmul: Make, attention: Make) -> None:
    whole = program(matmul(10, 2, 3), attention(5, 7, heads=3, stride=7))
    assert counted(whole) == [10 * 128 * 192, 2 * 3 * 64 * 5 * 7, 0]


def test_rows_come_from_the_token_register(program: Make, matmul: Make) -> None:
    product = matmul(0, 1, 1, register=3)
    whole = program(SetTokens(2, 9), product, SetTokens(2, 4), product)
    assert counted(whole) == [0, 9 * 4096, 0, 4 * 4096, 0]
