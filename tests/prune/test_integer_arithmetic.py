# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on torch tensors is golden's, integer for integer."""

import numpy as np
import pytest
import torch

from hwgen.golden.matmul import exact_product, row_mean
from hwgen.golden.select import token_select
from hwgen.numerics import gelu, layer_norm, piecewise, sigmoid, softmax
from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX, Ratio, requantise, scale_ratio
from hwgen.numerics.mean import MOST_ROWS
from hwgen.program.instructions import TokenSelect
from hwgen.prune import integer_arithmetic as integer

RNG = np.random.default_rng(1)


def as_float(values: np.ndarray, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float64)).to(dtype)


def same(found: torch.Tensor, expected: np.ndarray) -> bool:
    return found.shape == expected.shape and bool((found.double().numpy() == expected).all())


@pytest.mark.parametrize("reduction", [5, 1024, 1025, 3000])
def test_products_are_exact_however_long(reduction: int) -> None:
    left = RNG.choice([-128, -127, 127], (3, 4, reduction))
    right = RNG.choice([-127, 126, 127], (reduction, 6))
    right[:, 0] = 127
    left[0, 0] = -128
    found = integer.exact_product(as_float(left), as_float(right))
    assert same(found, left @ right)
    assert same(found, exact_product(left, right))


@pytest.mark.parametrize("limit", [INT8_MAX, INT16_MAX])
def test_requantisation_at_every_shift(limit: int) -> None:
    accumulator = np.concatenate(
        [RNG.integers(-(2**26) + 1, 2**26, 4000), [2**26 - 1, 1 - 2**26, 0, 1, -1]]
    )
    for shift in range(1, 48):
        for multiplier in (1, 2, 32768, 65535, int(RNG.integers(1, 65536))):
            ratio = Ratio(multiplier, shift)
            found = integer.requantise(as_float(accumulator, torch.float64), ratio.value, limit)
            assert same(found, requantise(accumulator, multiplier, shift, limit))


def test_ties_round_upwards() -> None:
    found = integer.requantise(torch.tensor([-3.0, -1.0, 1.0, 3.0]).double(), 0.5, INT8_MAX)
    assert found.tolist() == [-1, 0, 1, 2]


@pytest.mark.parametrize("columns", [1, 48, 768, 2048])
@pytest.mark.parametrize("size", [1, 300, 32767])
def test_normalisation(columns: int, size: int) -> None:
    x = RNG.integers(-size, size + 1, (2, 50, columns))
    x[0, 0] = size
    x[0, 1] = 0
    constants = layer_norm.NormaliseConstants(
        columns, layer_norm.mean_multiplier(columns), 12345, Ratio(40000, 11)
    )
    assert same(integer.normalise(as_float(x), constants), layer_norm.normalise(x, constants))


@pytest.mark.parametrize("delta", [1.0, 0.5])
def test_gelu(delta: float) -> None:
    every = np.arange(-INT16_MAX, INT16_MAX + 1)
    constants, output = gelu.gelu_constants(delta), Ratio(50000, 23)
    found = integer.gelu(as_float(every), constants, output)
    assert same(found, gelu.gelu_int8(every, constants, output))


@pytest.mark.parametrize("multiplier", [1, 700, 65535])
def test_exponentials_of_the_keys_that_are_there(multiplier: int) -> None:
    scores = RNG.integers(-127, 128, (2, 3, 5, 9))
    there = RNG.random((2, 9)) < 0.6
    there[:, 0] = True
    whole, total = softmax.softmax(scores, multiplier)
    found = integer.exponentials(as_float(scores), multiplier, None)
    assert same(found, whole)
    assert same(found.sum(-1), total)
    found = integer.exponentials(as_float(scores), multiplier, torch.from_numpy(there))
    for image, kept in enumerate(there):
        expected, _ = softmax.softmax(scores[image][..., kept], multiplier)
        assert same(found[image][..., kept], expected)
        assert not found[image][..., ~kept].any()


def test_reciprocals_and_roots() -> None:
    powers = 2 ** np.arange(1, 62)
    values = np.concatenate([np.arange(1, 5000), powers - 1, powers, powers + powers // 3])
    given = torch.from_numpy(values)
    assert same(integer.bit_length(given), piecewise.bit_length(values))
    ratio = Ratio(51234, 9)
    for found, expected in (
        (integer.reciprocal(given), piecewise.reciprocal(values)),
        (integer.inverse_sqrt(given), piecewise.inverse_sqrt(values)),
    ):
        assert all(same(a, b) for a, b in zip(found, expected, strict=True))
        multiplier, shift = scale_ratio(*expected, ratio)
        assert same(integer.scaled(*found, ratio), multiplier * 2.0**-shift)


def test_means_of_the_rows_that_are_there() -> None:
    rows = RNG.integers(-127, 128, (6, 40, 5))
    there = RNG.random((6, 40)) < np.array([[0.1], [0.3], [0.5], [0.7], [0.9], [1.0]])
    there[:, 0] = True
    found = integer.row_mean(as_float(rows), torch.from_numpy(there), INT8_MAX)
    expected = [row_mean(some[kept]) for some, kept in zip(rows, there, strict=True)]
    assert same(found, np.stack(expected))


def test_packages_of_none_to_the_most_rows() -> None:
    op = TokenSelect(
        rows=0, rows_register=0, source_address=0, source_stride=0, destination_address=0,
        destination_stride=0, slices=1, score_address=0, heads=1, threshold=0, limit=0, prefix=0,
        count_register=1, package=1,
    )  # fmt: skip
    rows = RNG.choice([-32767, 32767, 5], (1, MOST_ROWS, 4))
    for dropped in (0, 1, 2, 3, 1000, MOST_ROWS):
        there = np.arange(MOST_ROWS) < dropped
        found = integer.row_mean(as_float(rows), torch.from_numpy(there)[None], INT16_MAX)
        assert same(found[0], token_select(op, rows[0], ~there)[-1:])


def test_sigmoid() -> None:
    every = np.arange(-127, 128)
    assert same(integer.sigmoid_values(as_float(every)) * sigmoid.ONE, sigmoid.sigmoid(every))
