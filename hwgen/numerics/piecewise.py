# SPDX-License-Identifier: Apache-2.0
"""Reciprocal and inverse square root as piecewise quadratic polynomials on a 16-bit mantissa.

A mantissa is cut into segments of 1,024 values; each segment has three integer coefficients. One
evaluator serves both functions, in numpy here, in ``kernels_hls/piecewise.hpp`` and in hardware.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SEGMENT_BITS = 10
GUARD_BITS = 4
"""Coefficients carry four bits below the result's last place."""


@dataclass(frozen=True)
class PiecewiseTable:
    """Coefficients of one function; entry ``i`` serves mantissas with ``m >> 10 == first + i``."""

    name: str
    first: int
    c0: tuple[int, ...]
    c1: tuple[int, ...]
    c2: tuple[int, ...]


def _fit(name: str, first: int, last: int, function: Callable[[float], float]) -> PiecewiseTable:
    """Quadratic interpolation through both ends and the middle of each segment.

    Only additions, divisions and square roots of exactly representable numbers are used, so the
    coefficients are the same on every IEEE 754 machine.
    """
    rows = []
    width = 1 << SEGMENT_BITS
    for index in range(first, last):
        left, middle, right = (
            function(index * width + offset) * (1 << GUARD_BITS)
            for offset in (0, width // 2, width)
        )
        curvature = 2 * (left + right) - 4 * middle
        rows.append((round(left), round(right - left - curvature), round(curvature)))
    c0, c1, c2 = zip(*rows, strict=True)
    return PiecewiseTable(name, first, c0, c1, c2)


RECIPROCAL = _fit("reciprocal", 32, 64, lambda m: 2.0**31 / m)
"""2^31 / m for m in [2^15, 2^16); the result lies in (2^15, 2^16)."""

INVERSE_SQRT = _fit("inverse_sqrt", 16, 64, lambda m: 2.0**23 / math.sqrt(m))
"""2^23 / sqrt(m) for m in [2^14, 2^16); the result lies in (2^15, 2^16)."""


def evaluate(table: PiecewiseTable, mantissa: np.ndarray) -> np.ndarray:
    """The function at ``mantissa`` (int64), an unsigned 16-bit result as int64."""
    segment = (mantissa >> SEGMENT_BITS) - table.first
    x = mantissa & ((1 << SEGMENT_BITS) - 1)
    c0, c1, c2 = (np.array(c, np.int64)[segment] for c in (table.c0, table.c1, table.c2))
    linear = (c1 * x) >> SEGMENT_BITS
    square = (c2 * ((x * x) >> SEGMENT_BITS)) >> SEGMENT_BITS
    result = (c0 + linear + square + (1 << (GUARD_BITS - 1))) >> GUARD_BITS
    return np.minimum(result, (1 << 16) - 1)


def bit_length(value: np.ndarray) -> np.ndarray:
    """Position of the highest set bit plus one, for positive int64 values below 2^63."""
    value = value.astype(np.int64)
    length = np.zeros(value.shape, np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        large = value >= (np.int64(1) << step)
        length += np.where(large, step, 0)
        value = np.where(large, value >> step, value)
    return length + (value > 0)


def reciprocal(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``1 / value`` as (multiplier, shift): ``multiplier * 2**-shift``, multiplier 16 bits.

    Args:
        value: int64, 1 or more.
    """
    length = bit_length(value)
    excess = length - 16
    mantissa = np.where(excess > 0, value >> np.maximum(excess, 0), value << np.maximum(-excess, 0))
    return evaluate(RECIPROCAL, mantissa), 15 + length


def inverse_sqrt(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``1 / sqrt(value)`` as (multiplier, shift): ``multiplier * 2**-shift``.

    Args:
        value: int64, 1 or more. The mantissa keeps an even exponent, so the root is a shift.
    """
    length = bit_length(value)
    excess = (length - 15) & ~np.int64(1)
    mantissa = np.where(excess > 0, value >> np.maximum(excess, 0), value << np.maximum(-excess, 0))
    return evaluate(INVERSE_SQRT, mantissa), 23 + (excess >> 1)
