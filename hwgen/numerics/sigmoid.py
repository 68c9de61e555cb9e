# SPDX-License-Identifier: Apache-2.0
"""The logistic function in four straight pieces (PLAN), as HeatViT's token selector uses it.

PLAN: Amin, Curtis, Hayes-Gill, "Piecewise linear approximation applied to nonlinear function of a
neural network", IEE Proc. 1997. Its slopes are powers of two, so it is shifts and additions, and on
inputs with four fractional bits it is exact in nine.
"""

import numpy as np

INPUT_FRACTION = 4
"""The input is int8 in Q3.4."""
OUTPUT_FRACTION = 9
"""The result is in [0, 512], Q.9."""
ONE = 1 << OUTPUT_FRACTION


def sigmoid(x: np.ndarray) -> np.ndarray:
    """PLAN of Q3.4 integers ``x`` in [-127, 127]; int64 in Q.9, within 0.0190 of the real one.

    For x >= 0: x/4 + 1/2 below 1, x/8 + 5/8 below 2.375, x/32 + 27/32 below 5, then 1; and
    1 minus that of -x otherwise.
    """
    magnitude = np.abs(x.astype(np.int64))
    positive = np.select(
        [magnitude < 16, magnitude < 38, magnitude < 80],
        [8 * magnitude + 256, 4 * magnitude + 320, magnitude + 432],
        ONE,
    )
    return np.where(x < 0, ONE - positive, positive)
