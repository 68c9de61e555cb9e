# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.errors import ModelError
from hwgen.numerics.fixed_point import (
    INT8_MAX,
    MAX_SHIFT,
    ratio_from,
    requantise,
    round_shift,
)


@given(st.integers(-(2**42), 2**42), st.integers(1, MAX_SHIFT))
def test_round_shift_is_round_half_up(value: int, shift: int) -> None:
    expected = math.floor(value / 2**shift + 0.5) if abs(value) < 2**52 else None
    assert round_shift(np.int64(value), shift) == expected


@given(st.integers(-(2**26) + 1, 2**26 - 1), st.integers(1, 65535), st.integers(1, MAX_SHIFT))
def test_requantise_equals_python_integers(accumulator: int, multiplier: int, shift: int) -> None:
    exact = (accumulator * multiplier + (1 << (shift - 1))) >> shift
    expected = max(-INT8_MAX, min(INT8_MAX, exact))
    assert requantise(np.int64(accumulator), multiplier, shift, INT8_MAX) == expected


@given(st.floats(1e-9, 30000))
def test_ratio_is_within_2_to_the_minus_16(value: float) -> None:
    ratio = ratio_from(value)
    assert 1 << 15 <= ratio.multiplier < 1 << 16
    assert 1 <= ratio.shift <= MAX_SHIFT
    assert abs(ratio.value / value - 1) <= 2**-16


@given(st.floats(1e-9, 16000))
def test_power_of_two_ratio_is_the_nearest_power(value: float) -> None:
    ratio = ratio_from(value, power_of_two=True)
    assert ratio.multiplier & (ratio.multiplier - 1) == 0
    assert ratio.multiplier == 1 or ratio.shift == 1
    assert abs(math.log2(ratio.value / value)) <= 0.5 + 1e-9


def test_a_vanishing_ratio_rounds_every_accumulator_to_zero() -> None:
    ratio = ratio_from(1e-30)
    assert requantise(np.int64(2**26 - 1), ratio.multiplier, ratio.shift, INT8_MAX) == 0


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_an_impossible_ratio_is_refused(value: float) -> None:
    with pytest.raises(
        ModelError, match=r"in layer 'fc1': a scale is zero, negative or not finite"
    ):
        ratio_from(value, where=" in layer 'fc1'")


def test_a_huge_ratio_is_refused() -> None:
    with pytest.raises(ModelError, match="above the largest one the hardware has"):
        ratio_from(1e6)
    with pytest.raises(ModelError, match="above the largest one the hardware has"):
        ratio_from(1e6, power_of_two=True)
