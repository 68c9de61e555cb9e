# SPDX-License-Identifier: Apache-2.0
"""The mean of rows: a sum times the reciprocal of a count."""

from hwgen.numerics.fixed_point import Ratio

MOST_ROWS = 2048
"""Rows of one mean: as many int16 rows have a sum below 2^26 in magnitude."""


def mean_ratio(count: int) -> Ratio:
    """``1 / count`` rounded down to 16 bits, the highest of them set; exact for powers of two.

    Args:
        count: 1 to 2048.
    """
    shift = 15 + (count - 1).bit_length()
    return Ratio((1 << shift) // count, shift)
