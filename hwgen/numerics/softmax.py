# SPDX-License-Identifier: Apache-2.0
"""Softmax in integers, after HeatViT (HPCA 2023, equations 7 and 8), with a deferred division.

A row of int8 scores becomes int8 exponentials ``round(127 * exp(score - max))`` and one
reciprocal of their sum. The exponentials go to the array as they are; the reciprocal multiplies
the row of the product with V. The largest entry is always 127, so a row of hundreds of small
probabilities keeps its resolution, which probabilities on a fixed 1/128 grid would not.
"""

import numpy as np

FRACTION = 14
LN2 = round(0.6931471805599453 * (1 << FRACTION))
OFFSET = round(1.353 * (1 << FRACTION))
SLOPE = round(0.3585 * (1 << 16))
CONSTANT = round(0.344 * (1 << FRACTION))
MAX_DIFFERENCE = 254
PEAK = 127


def exponential(x: np.ndarray) -> np.ndarray:
    """``round(127 * 2**-x)`` for ``x`` in Q.14 (int64, 0 or more), as int64 in [0, 127].

    With ``x = k + f`` and ``p = -f ln 2`` in (-ln 2, 0], ``exp(p) = 0.3585 (p + 1.353)^2 + 0.344``
    and the integer part is a shift.
    """
    k = np.minimum(x >> FRACTION, 15)
    f = x & ((1 << FRACTION) - 1)
    t = OFFSET - ((f * LN2) >> FRACTION)
    power = ((((t * t) >> FRACTION) * SLOPE) >> 16) + CONSTANT
    return (power * PEAK + (np.int64(1) << (FRACTION - 1 + k))) >> (FRACTION + k)


def exponential_table(multiplier: int) -> np.ndarray:
    """int64 (255,): the exponential of each difference ``max - score`` in 0..254.

    ``multiplier`` is the score scale times log2(e), in Q2.14.
    """
    return exponential(np.arange(MAX_DIFFERENCE + 1, dtype=np.int64) * multiplier)


def softmax(scores: np.ndarray, multiplier: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponentials and their sum along the last axis.

    Args:
        scores: int64 (..., keys), each in [-127, 127].
        multiplier: as for ``exponential_table``.

    Returns:
        Exponentials, int64 (..., keys) in [0, 127], and sums, int64 (...), 127 or more.
    """
    difference = scores.max(axis=-1, keepdims=True) - scores
    exponentials = exponential_table(multiplier)[difference]
    return exponentials, exponentials.sum(axis=-1)
