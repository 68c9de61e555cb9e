# SPDX-License-Identifier: Apache-2.0
"""The ATTENTION instruction."""

import numpy as np

from hwgen.golden.matmul import exact_product
from hwgen.numerics.fixed_point import INT8_MAX, requantise, scale_ratio
from hwgen.numerics.piecewise import reciprocal
from hwgen.numerics.softmax import softmax
from hwgen.program.instructions import Attention


def attention_head(
    op: Attention, query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """One head: int64 (..., rows, head width) from int8 query (..., rows, head width), key and
    value (..., keys, head width).
    """
    product = exact_product(query, np.swapaxes(key, -1, -2))
    scores = requantise(product, op.score_multiplier, op.score_shift, INT8_MAX)
    exponentials, total = softmax(scores, op.exponent_multiplier)
    factor, shift = scale_ratio(*reciprocal(total), op.output_ratio)
    return requantise(
        exact_product(exponentials, value), factor[..., None], shift[..., None], INT8_MAX
    )


def attention(op: Attention, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """All heads: int64 (..., rows, heads * head width), operands as in ``attention_head``."""
    split = zip(
        *(np.split(operand, op.heads, axis=-1) for operand in (query, key, value)), strict=True
    )
    return np.concatenate([attention_head(op, q, k, v) for q, k, v in split], axis=-1)
