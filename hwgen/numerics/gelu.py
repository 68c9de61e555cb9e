# SPDX-License-Identifier: Apache-2.0
"""GELU as an integer polynomial, after HeatViT (HPCA 2023, equations 5 and 6).

``gelu(x) = x/2 * (1 + L(x / sqrt 2))`` with
``L(u) = sign(u) * delta * (a * (min(|u|, -b) + b)^2 + 1)``, a = -0.2888, b = -1.769. ``delta`` is
1.0 for post-training use; HeatViT trains with 0.5.
"""

import math
from dataclasses import dataclass

import numpy as np

from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX, Ratio, requantise

A = -0.2888
B = -1.769

INPUT_FRACTION = 10
"""The input is int16 in Q5.10."""
OUTPUT_FRACTION = 12
"""The polynomial's result is 18 bits in Q5.12, before it is requantised to int8."""
CLIP = round(-B * math.sqrt(2) * (1 << INPUT_FRACTION))
"""Where the polynomial saturates, in Q5.10: 2562."""


@dataclass(frozen=True)
class GeluConstants:
    """``one`` is delta in Q.14; ``slope`` is ``-a / 2 * delta`` in Q.17."""

    one: int
    slope: int


RELU = GeluConstants(1 << 14, 0)
"""With these constants the polynomial is the rectifier, ``max(x, 0)``, exactly."""


def gelu_constants(delta: float = 1.0) -> GeluConstants:
    """The instruction's two constants for a regularisation factor ``delta`` in (0, 1]."""
    return GeluConstants(round(delta * (1 << 14)), round(-A / 2 * delta * (1 << 17)))


def gelu(x: np.ndarray, constants: GeluConstants) -> np.ndarray:
    """GELU of Q5.10 integers ``x`` in [-32767, 32767]; the result is int64 in Q5.12."""
    x = x.astype(np.int64)
    t = np.minimum(np.abs(x), CLIP) - CLIP
    square = (t * t) >> 6
    erf = constants.one - ((square * constants.slope) >> 17)
    return (x * ((1 << 14) + np.sign(x) * erf) + (1 << 12)) >> 13


def gelu_int8(x: np.ndarray, constants: GeluConstants, output: Ratio) -> np.ndarray:
    """GELU of Q5.10 integers requantised to int8 by ``output`` (= 2^-12 / output scale).

    Looked up in a table of all 65,535 results, which is quicker than computing each.
    """
    every = np.arange(-INT16_MAX, INT16_MAX + 1, dtype=np.int64)
    table = requantise(gelu(every, constants), output.multiplier, output.shift, INT8_MAX)
    return table[x + INT16_MAX]
