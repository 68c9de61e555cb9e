# SPDX-License-Identifier: Apache-2.0
"""Rounding shifts, saturation and requantisation: the arithmetic that every unit shares.

All functions take and return numpy integers (int64 unless said otherwise) and are exact.
"""

import math
from dataclasses import dataclass

import numpy as np

from hwgen.errors import ModelError

INT8_MAX = 127
"""Activations and weights stay in [-127, 127]: -128 breaks the two-products-per-DSP packing."""

INT16_MAX = 32767
"""The residual stream and the outputs stay in [-32767, 32767]."""

MULTIPLIER_BITS = 16
MAX_SHIFT = 47
ACCUMULATOR_LIMIT = 1 << 26
"""Sums including the bias stay below this in magnitude, so one 27 x 18 multiplier requantises."""


def round_shift(value: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """``value / 2**shift`` rounded to nearest, ties upwards: ``(value + 2^(shift-1)) >> shift``.

    ``shift`` is 1 or more, a scalar or an array that broadcasts against ``value``.
    """
    shift = np.asarray(shift, dtype=np.int64)
    result = np.asarray(value + (np.int64(1) << (shift - 1)))
    result >>= shift
    return result


def saturate(value: np.ndarray, limit: int) -> np.ndarray:
    """``value`` clamped to [-limit, limit]."""
    return np.clip(value, -limit, limit)


def requantise(
    accumulator: np.ndarray,
    multiplier: np.ndarray | int,
    shift: np.ndarray | int,
    limit: int,
) -> np.ndarray:
    """``saturate(round_shift(accumulator * multiplier, shift))``.

    Args:
        accumulator: int64, magnitude below 2^26.
        multiplier: unsigned 16-bit integer(s).
        shift: 1 to 47.
        limit: ``INT8_MAX`` or ``INT16_MAX``.
    """
    result = round_shift(accumulator * np.asarray(multiplier, np.int64), shift)
    return np.clip(result, -limit, limit, out=result)


@dataclass(frozen=True)
class Ratio:
    """A positive real number as ``multiplier / 2**shift``, the form the hardware multiplies by."""

    multiplier: int
    shift: int

    @property
    def value(self) -> float:
        return math.ldexp(self.multiplier, -self.shift)


def ratio_from(value: float, *, power_of_two: bool = False, where: str = "") -> Ratio:
    """The nearest ``Ratio`` to ``value``.

    With ``power_of_two`` the exponent is rounded to nearest and the multiplier is 1, or 2, 4, ...
    with a shift of 1 where ``value`` is 1 or more (the fixed-point-only mode of HeatViT and
    F8Net); otherwise the multiplier has its top bit set, so the relative error is at most 2^-16.

    Raises:
        ModelError: ``value`` is not finite, not positive, or too large for the shift range.
    """
    if not math.isfinite(value) or value <= 0:
        raise ModelError(
            f"A requantisation factor of {value!r} came out{where}: a scale is zero, negative or "
            "not finite. Check the calibration data and the weights of that layer."
        )
    if power_of_two:
        exponent = round(math.log2(value))
        multiplier, shift = (1, -exponent) if exponent < 0 else (2 << exponent, 1)
    else:
        mantissa, exponent = math.frexp(value)
        multiplier, shift = round(math.ldexp(mantissa, MULTIPLIER_BITS)), MULTIPLIER_BITS - exponent
        if multiplier == 1 << MULTIPLIER_BITS:
            multiplier, shift = multiplier >> 1, shift - 1
    if shift > MAX_SHIFT:
        # Too small to matter: any accumulator below 2^26 then rounds to zero.
        multiplier, shift = (1, MAX_SHIFT) if power_of_two else (1 << 15, MAX_SHIFT)
    if shift < 1 or multiplier >> MULTIPLIER_BITS:
        raise ModelError(
            f"A requantisation factor of {value:.3g} came out{where}, above the largest one the "
            "hardware has (32767). Output and input scales of that layer are too far apart; "
            "check the calibration data."
        )
    return Ratio(multiplier, shift)


def scale_ratio(
    multiplier: np.ndarray, shift: np.ndarray, ratio: Ratio
) -> tuple[np.ndarray, np.ndarray]:
    """``multiplier / 2**shift`` (a row's reciprocal or inverse root) times ``ratio``.

    Returns:
        A 16-bit multiplier and a shift limited to 1 .. 47, int64, shaped as the arguments.
    """
    product = (multiplier * ratio.multiplier + (1 << 15)) >> 16
    return product, np.clip(shift + ratio.shift - 16, 1, MAX_SHIFT)
