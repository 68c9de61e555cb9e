# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.numerics.error_bounds import mean_error
from hwgen.numerics.fixed_point import ACCUMULATOR_LIMIT, INT16_MAX, MAX_SHIFT, requantise
from hwgen.numerics.mean import MOST_ROWS, mean_ratio

COUNTS = range(1, MOST_ROWS + 1)


def test_multiplier_has_sixteen_bits_for_every_count() -> None:
    for count in COUNTS:
        ratio = mean_ratio(count)
        assert 1 << 15 <= ratio.multiplier < 1 << 16
        assert 1 <= ratio.shift <= MAX_SHIFT
        assert ratio.multiplier == (1 << ratio.shift) // count


def test_powers_of_two_are_exact() -> None:
    for exponent in range(12):
        assert mean_ratio(1 << exponent).value == 2.0**-exponent


def test_error_is_below_the_stated_bound() -> None:
    assert mean_error().error < 2**-15


def test_the_mean_of_equal_rows_is_that_row() -> None:
    """To the bit for int8; an int16 value can be one step nearer to zero."""
    small = np.arange(-127, 128)
    large = np.array([-INT16_MAX, -1, 0, 1, INT16_MAX])
    for count in COUNTS:
        ratio = mean_ratio(count)
        assert (requantise(small * count, ratio.multiplier, ratio.shift, 127) == small).all()
        found = requantise(large * count, ratio.multiplier, ratio.shift, INT16_MAX)
        assert (np.abs(found) <= np.abs(large)).all()
        assert (np.abs(found - large) <= 1).all()


def test_the_largest_sum_fits_the_requantiser() -> None:
    assert MOST_ROWS * INT16_MAX < ACCUMULATOR_LIMIT
