# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.errors import ModelError
from hwgen.quant.weights import power_of_two_above, quantise_linear


@given(st.integers(0, 2**32), st.booleans())
def test_rows_come_back_within_half_a_step(seed: int, power_of_two: bool) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((5, 30)) * 10.0 ** rng.integers(-4, 3, (5, 1))
    bias = rng.standard_normal(5)
    layer = quantise_linear("fc", weight, bias, 0.01, power_of_two)
    assert np.abs(layer.weight).max() <= 127
    error = layer.weight * layer.scale[:, None] - weight
    assert (np.abs(error) <= layer.scale[:, None] * 0.5 + 1e-12).all()
    assert (np.abs(layer.bias * layer.scale * 0.01 - bias) <= layer.scale * 0.005 + 1e-12).all()
    if power_of_two:
        assert (np.log2(layer.scale) % 1 == 0).all()


def test_a_zero_row_with_a_large_bias_keeps_the_accumulator_bounded() -> None:
    layer = quantise_linear("fc", np.zeros((1, 4)), np.array([1000.0]), 1e-3, False)
    assert abs(int(layer.bias[0])) < 2**25
    assert layer.bias[0] * layer.scale[0] * 1e-3 == pytest.approx(1000.0, rel=1e-6)


def test_weights_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="^Layer 'fc' has weights or biases that are NaN"):
        quantise_linear("fc", np.array([[np.nan]]), np.zeros(1), 1.0, False)


def test_a_reduction_too_long_for_the_accumulator_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^Layer 'fc' can reach an accumulator of \d+ \(2\^26\.5"):
        quantise_linear("fc", np.ones((1, 6000)), np.zeros(1), 1.0, False)


@given(st.floats(1e-20, 1e20))
def test_power_of_two_above(value: float) -> None:
    power = power_of_two_above(value)
    assert value <= power < 2 * value * (1 + 1e-12)
