# SPDX-License-Identifier: Apache-2.0
"""Multiplications per instruction."""

from collections.abc import Callable

import pytest

from hwgen.estimate.work import macs_of
from hwgen.program.instructions import End, SetTokens

Make = Callable[..., object]


def test_matmul_and_attention(program: Make, matmul: Make, attention: Make) -> None:
    product, heads = matmul(10, 2, 3), attention(5, 7, heads=3, stride=7)
    whole = program(product, heads)
    assert macs_of(product, whole) == 10 * 128 * 192
    assert macs_of(heads, whole) == 2 * 3 * 64 * 5 * 7
    assert macs_of(End(), whole) == 0


def test_rows_come_from_the_token_register(program: Make, matmul: Make) -> None:
    product = matmul(0, 1, 1, register=3)
    assert macs_of(product, program(SetTokens(2, 9), product, SetTokens(2, 4))) == 9 * 4096


def test_a_foreign_instruction_is_refused(program: Make, matmul: Make) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        macs_of(matmul(1, 1, 1), program())
