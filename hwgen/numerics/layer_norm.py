# SPDX-License-Identifier: Apache-2.0
"""Normalisation of int16 rows to int8, the first half of LayerNorm.

``(x - mean) / sqrt(variance + epsilon)`` on the array's read path. The learned gamma and beta are
folded into the weights and bias of the matrix product that follows.
"""

from dataclasses import dataclass

import numpy as np

from hwgen.numerics.fixed_point import INT8_MAX, Ratio, round_shift, saturate, scale_ratio
from hwgen.numerics.piecewise import inverse_sqrt

MEAN_FRACTION = 6
"""The mean carries six bits below the residual stream's last place."""
MEAN_SHIFT = 26


@dataclass(frozen=True)
class NormaliseConstants:
    """What the instruction carries.

    ``columns`` is K; ``mean_multiplier`` is 2^32 / K; ``epsilon`` is K^2 * eps / scale^2, the
    variance guard in units of ``K * sum(x^2) - sum(x)^2``; ``output`` is K / (64 * output scale).
    """

    columns: int
    mean_multiplier: int
    epsilon: int
    output: Ratio


def mean_multiplier(columns: int) -> int:
    """2^(6 + 26) / columns, rounded: the reciprocal that turns a sum into a Q.6 mean."""
    return round(2 ** (MEAN_FRACTION + MEAN_SHIFT) / columns)


def normalise(x: np.ndarray, constants: NormaliseConstants) -> np.ndarray:
    """Rows of ``x`` (int64 (..., K) in [-32767, 32767]) normalised to int64 in [-127, 127].

    Columns that pad K up to a multiple of the array's width must be zero in ``x``; they add
    nothing to the sums, and the weights that meet them are zero.
    """
    total = x.sum(axis=-1, keepdims=True)
    squares = (x * x).sum(axis=-1, keepdims=True)
    mean = round_shift(total * constants.mean_multiplier, MEAN_SHIFT)
    variance = constants.columns * squares - total * total + constants.epsilon
    root, root_shift = inverse_sqrt(np.maximum(variance, 1))
    factor, shift = scale_ratio(root, root_shift, constants.output)
    return saturate(round_shift(((x << MEAN_FRACTION) - mean) * factor, shift), INT8_MAX)
