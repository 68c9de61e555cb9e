# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of ``hwgen.golden`` on torch tensors, exact where float is IEEE 754.

Integers stand in floating-point tensors: int8 and int16 in float32, accumulators in float64, which
hold all of them exactly. Nonlinear functions are tables that ``hwgen.numerics`` fills, so they have
no second definition; the tests compare every function here with golden.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from hwgen.golden.matmul import EXACT_REDUCTION
from hwgen.numerics import piecewise
from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX, MAX_SHIFT, Ratio
from hwgen.numerics.gelu import GeluConstants, gelu_int8
from hwgen.numerics.layer_norm import MEAN_FRACTION, MEAN_SHIFT, NormaliseConstants
from hwgen.numerics.mean import MOST_ROWS, mean_ratio
from hwgen.numerics.sigmoid import ONE, sigmoid
from hwgen.numerics.softmax import exponential_table


def exact_product(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right`` of integers, float64; exact for the reason that golden's is.

    Args:
        left: float32 (..., rows, K), magnitudes up to 128.
        right: float32 (..., K, columns), magnitudes up to 127.
    """
    parts = zip(
        left.split(EXACT_REDUCTION, dim=-1), right.split(EXACT_REDUCTION, dim=-2), strict=True
    )
    total = torch.zeros((), dtype=torch.float64, device=left.device)
    for some, others in parts:
        total = total + (some @ others).double()
    return total


def requantise(accumulator: Tensor, ratio: Tensor | float, limit: int) -> Tensor:
    """Golden's requantisation of float64 integers below 2^26, float32 in [-limit, limit].

    ``ratio`` is ``multiplier * 2**-shift``. The sum below is a multiple of ``2**-shift``, at most
    ``(2**42 + 2**46) * 2**-shift``: 53 bits hold it.
    """
    return (accumulator * ratio).add_(0.5).floor_().clamp_(-limit, limit).float()


def ratio_values(ratios: list[Ratio], device: torch.device) -> Tensor:
    """Ratios as float64 numbers, which hold them exactly."""
    return torch.tensor([r.value for r in ratios], dtype=torch.float64, device=device)


def normalise(x: Tensor, constants: NormaliseConstants) -> Tensor:
    """The normalisation of int16 rows, float32 (..., K), to int8, float32 of the same shape."""
    wide = x.double()
    total = wide.sum(dim=-1, keepdim=True)
    squares = wide.square().sum(dim=-1, keepdim=True).long()
    mean = (total * (constants.mean_multiplier * 2.0**-MEAN_SHIFT)).add_(0.5).floor_()
    variance = constants.columns * squares - total.long().square() + constants.epsilon
    factor = scaled(*inverse_sqrt(variance.clamp(min=1)), constants.output)
    return requantise(wide * (1 << MEAN_FRACTION) - mean, factor, INT8_MAX)


def gelu(x: Tensor, constants: GeluConstants, output: Ratio) -> Tensor:
    """GELU of Q5.10 integers, float32, requantised to int8, float32."""
    return _gelu_table(constants, output, x.device)[x.long() + INT16_MAX]


def exponentials(scores: Tensor, multiplier: int, kept: Tensor | None) -> Tensor:
    """Golden's exponentials of int8 scores, float32 (..., keys) in [0, 127].

    Args:
        scores: float32 (images, heads, rows, keys).
        kept: bool (images, keys), the keys that there are; None: all. Others come out as 0.
    """
    there = None if kept is None else kept[:, None, None]
    present = scores if there is None else scores.masked_fill(~there, -INT8_MAX)
    difference = present.amax(dim=-1, keepdim=True) - present
    result = _exponential_table(multiplier, scores.device)[difference.long()]
    return result if there is None else result.masked_fill(~there, 0)


def scaled(multiplier: Tensor, shift: Tensor, ratio: Ratio) -> Tensor:
    """Golden's ``scale_ratio`` as one number, float64: int64 multiplier and shift times a ratio."""
    product = (multiplier * ratio.multiplier + (1 << 15)) >> 16
    places = (shift + ratio.shift - 16).clamp(1, MAX_SHIFT)
    return product * _power_table(product.device)[places]


def reciprocal(value: Tensor) -> tuple[Tensor, Tensor]:
    """Golden's reciprocal of int64 values, 1 or more: int64 multiplier and shift."""
    length = bit_length(value)
    return _mantissas("reciprocal", value, length - 16), 15 + length


def inverse_sqrt(value: Tensor) -> tuple[Tensor, Tensor]:
    """Golden's inverse square root of int64 values, 1 or more: int64 multiplier and shift."""
    excess = (bit_length(value) - 15) & ~1
    return _mantissas("inverse_sqrt", value, excess), 23 + (excess >> 1)


def bit_length(value: Tensor) -> Tensor:
    """Position of the highest set bit plus one, of int64 values, 1 or more."""
    powers = 2 ** torch.arange(63, device=value.device)
    return torch.searchsorted(powers, value, right=True)


def row_mean(rows: Tensor, there: Tensor, limit: int) -> Tensor:
    """Golden's mean of some rows of each image, float32 (images, 1, columns); 0 where none is.

    Args:
        rows: float32 (images, rows, columns), integers of at most 16 bits.
        there: bool (images, rows), the rows to take.
    """
    count = there.sum(dim=1)
    total = (rows * there[..., None]).sum(dim=1, dtype=torch.float64)
    ratio = _mean_table(rows.device)[count]
    return requantise(total, ratio[:, None], limit)[:, None]


def sigmoid_values(x: Tensor) -> Tensor:
    """PLAN of Q3.4 integers, as the real value of its result, float32."""
    return _sigmoid_table(x.device)[x.long() + INT8_MAX]


def _mantissas(name: str, value: Tensor, excess: Tensor) -> Tensor:
    """A piecewise function of values whose highest ``excess`` bits are cut (or added) first."""
    mantissa = torch.where(
        excess > 0, value >> excess.clamp(min=0), value << (-excess).clamp(min=0)
    )
    return _piecewise_table(name, value.device)[mantissa]


@cache
def _piecewise_table(name: str, device: torch.device) -> Tensor:
    table = {"reciprocal": piecewise.RECIPROCAL, "inverse_sqrt": piecewise.INVERSE_SQRT}[name]
    first = table.first << piecewise.SEGMENT_BITS
    values = piecewise.evaluate(table, np.arange(first, 1 << 16, dtype=np.int64))
    return torch.tensor(np.concatenate([np.zeros(first, np.int64), values]), device=device)


@cache
def _power_table(device: torch.device) -> Tensor:
    """``2**-shift`` for each shift there is."""
    return torch.tensor([2.0**-s for s in range(MAX_SHIFT + 1)], device=device).double()


@cache
def _gelu_table(constants: GeluConstants, output: Ratio, device: torch.device) -> Tensor:
    every = np.arange(-INT16_MAX, INT16_MAX + 1, dtype=np.int64)
    return torch.tensor(gelu_int8(every, constants, output).astype(np.float32), device=device)


@cache
def _exponential_table(multiplier: int, device: torch.device) -> Tensor:
    return torch.tensor(exponential_table(multiplier).astype(np.float32), device=device)


@cache
def _sigmoid_table(device: torch.device) -> Tensor:
    every = np.arange(-INT8_MAX, INT8_MAX + 1, dtype=np.int64)
    return torch.tensor((sigmoid(every) / ONE).astype(np.float32), device=device)


@cache
def _mean_table(device: torch.device) -> Tensor:
    """1 / count for counts 0 (as 1) to 2,048."""
    return ratio_values([mean_ratio(max(1, count)) for count in range(MOST_ROWS + 1)], device)
