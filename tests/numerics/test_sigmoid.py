# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.numerics.error_bounds import sigmoid_error
from hwgen.numerics.sigmoid import ONE, sigmoid

EVERY = np.arange(-128, 128)


def test_it_is_plan_without_rounding() -> None:
    """Amin et al. 1997: each piece in real arithmetic, for every int8 input."""
    for x, found in zip(EVERY, sigmoid(EVERY), strict=True):
        real = abs(x) / 16
        if real < 1:
            piece = real / 4 + 1 / 2
        elif real < 2.375:
            piece = real / 8 + 5 / 8
        elif real < 5:
            piece = real / 32 + 27 / 32
        else:
            piece = 1.0
        assert found / 512 == (piece if x >= 0 else 1 - piece), x


def test_it_never_falls_and_is_symmetric() -> None:
    result = sigmoid(EVERY)
    assert (np.diff(result) >= 0).all()
    assert (result[1:] + result[:0:-1] == ONE).all()
    assert sigmoid(np.array([0])) == ONE // 2
    assert (result.min(), result.max()) == (0, ONE)


def test_scores_of_int8_do_not_overflow() -> None:
    assert (sigmoid(EVERY.astype(np.int8)) == sigmoid(EVERY)).all()


def test_error_is_below_the_stated_bound() -> None:
    assert sigmoid_error().error < 0.0190
