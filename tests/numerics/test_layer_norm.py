# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.numerics.fixed_point import ratio_from
from hwgen.numerics.layer_norm import NormaliseConstants, mean_multiplier, normalise


def constants(columns: int, steps_per_sigma: float, epsilon: int = 1) -> NormaliseConstants:
    output = ratio_from(columns * steps_per_sigma / 64)
    return NormaliseConstants(columns, mean_multiplier(columns), epsilon, output)


def exact(x: np.ndarray, columns: int, steps_per_sigma: float, epsilon: int) -> np.ndarray:
    x = x[..., :columns].astype(np.float64)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True) + epsilon / columns**2
    return np.clip(centred / np.sqrt(variance) * steps_per_sigma, -127, 127)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([64, 128, 192, 384, 768]),
    st.floats(0.3, 8000),
    st.floats(-20000, 20000),
    st.sampled_from([8.0, 16.0, 31.75, 32.0]),
    st.integers(0, 2**32),
)
def test_rows_are_normalised_within_the_stated_bound(
    columns: int, sigma: float, mean: float, steps: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = np.clip(np.rint(rng.normal(mean, sigma, (4, columns))), -32767, 32767).astype(np.int64)
    epsilon = 1000
    result = normalise(x, constants(columns, steps, epsilon))
    # Half a step of rounding, 127 times the factor's relative error, and the mean's own rounding
    # (1/128 of a residual step, plus its multiplier's) times the factor.
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon / columns**2)
    bound = 0.5 + 127 * 2**-13.4 + (1 / 128 + 1 / 64) * steps / deviation
    assert (np.abs(result - exact(x, columns, steps, epsilon)) <= bound).all()


def test_padding_columns_change_nothing() -> None:
    x = np.random.default_rng(0).integers(-3000, 3000, (5, 96))
    padded = np.pad(x, ((0, 0), (0, 32)))
    plain = normalise(x, constants(96, 32))
    assert (normalise(padded, constants(96, 32))[:, :96] == plain).all()


@pytest.mark.parametrize("value", [0, 5, -32767, 32767])
def test_a_constant_row_gives_zeros(value: int) -> None:
    x = np.full((1, 192), value, np.int64)
    assert (np.abs(normalise(x, constants(192, 32.0, epsilon=10**6))) <= 1).all()
