# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.numerics.fixed_point import ratio_from
from hwgen.numerics.gelu import gelu, gelu_constants, gelu_int8

EVERY = np.arange(-32767, 32768)


def test_result_fits_18_bits() -> None:
    result = gelu(EVERY, gelu_constants())
    assert np.abs(result).max() < 1 << 17


def test_far_from_zero_it_is_the_identity_or_zero() -> None:
    assert gelu(np.array([5 << 10]), gelu_constants()) == 5 << 12
    assert gelu(np.array([-5 << 10]), gelu_constants()) == 0


def test_delta_one_half_has_the_slopes_that_heatvit_trains_with() -> None:
    x = np.array([-3 << 10, 3 << 10])
    result = gelu(x, gelu_constants(0.5)) / 4096
    assert np.allclose(result, [-0.75, 2.25], atol=1e-3)


def test_int8_result_saturates_symmetrically() -> None:
    result = gelu_int8(EVERY, gelu_constants(), ratio_from(2.0**-12 / 0.01))
    assert result.min() >= -127
    assert result.max() == 127
