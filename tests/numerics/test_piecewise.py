# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwgen.numerics.piecewise import (
    INVERSE_SQRT,
    RECIPROCAL,
    bit_length,
    evaluate,
    inverse_sqrt,
    reciprocal,
)


def test_results_are_16_bit_mantissas_everywhere() -> None:
    for table, first in ((RECIPROCAL, 1 << 15), (INVERSE_SQRT, 1 << 14)):
        result = evaluate(table, np.arange(first, 1 << 16))
        assert result.min() >= 1 << 15
        assert result.max() <= (1 << 16) - 1


@given(st.integers(1, 2**62))
def test_bit_length_is_pythons(value: int) -> None:
    assert bit_length(np.array(value)) == value.bit_length()


@given(st.integers(1, 2**40))
def test_reciprocal_of_any_size(value: int) -> None:
    multiplier, shift = reciprocal(np.array(value))
    # Cutting the value to 16 bits costs up to 2^-15, the polynomial less than 2^-15.
    assert abs(int(multiplier) * 2.0 ** -int(shift) * value - 1) < 2**-14


@given(st.integers(1, 2**58))
def test_inverse_sqrt_of_any_size(value: int) -> None:
    multiplier, shift = inverse_sqrt(np.array(value))
    assert abs(int(multiplier) * 2.0 ** -int(shift) * math.sqrt(value) - 1) < 2**-13.5
