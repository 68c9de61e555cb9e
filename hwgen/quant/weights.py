# SPDX-License-Identifier: Apache-2.0
"""Weights and biases as integers, one scale per output row."""

import math
from dataclasses import dataclass

import numpy as np

from hwgen.errors import ModelError
from hwgen.ir.graph import Tokens
from hwgen.numerics.fixed_point import (
    ACCUMULATOR_LIMIT,
    INT8_MAX,
    INT16_MAX,
    Ratio,
    ratio_from,
)

ACTIVATION_LIMIT = 128
"""Largest magnitude of an int8 activation; offset-binary pixels reach -128."""


@dataclass(frozen=True)
class QuantisedLinear:
    """weight int8 (outputs, inputs); bias int32 (outputs,); scale float64 (outputs,): the real
    value of one step of ``weight``.
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: np.ndarray


def power_of_two_above(value: np.ndarray | float) -> np.ndarray:
    """The smallest power of two that is at least ``value``."""
    return np.exp2(np.ceil(np.log2(value)))


def quantise_linear(
    name: str, weight: np.ndarray, bias: np.ndarray, input_scale: float, power_of_two: bool
) -> QuantisedLinear:
    """Rounds ``weight`` (outputs, inputs) and ``bias`` (outputs,) to integers.

    Each row's largest weight becomes 127 (or, with ``power_of_two``, the scale is the next power of
    two). A row whose bias is so large that the accumulator could pass 2^26 gets a coarser scale.

    Raises:
        ModelError: a weight or bias is not finite.
    """
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ModelError(
            f"Layer {name!r} has weights or biases that are NaN or infinite. Export the model "
            "again from a sound checkpoint."
        )
    weight = weight.astype(np.float64)
    largest = np.abs(weight).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0) / INT8_MAX
    # A bias must stay below a quarter of the accumulator's range, whatever its row's weights are.
    scale = np.maximum(scale, np.abs(bias) / (input_scale * (ACCUMULATOR_LIMIT / 4)))
    if power_of_two:
        scale = power_of_two_above(scale)
    integers = np.rint(weight / scale[:, None]).clip(-INT8_MAX, INT8_MAX).astype(np.int8)
    integer_bias = np.rint(bias / (scale * input_scale)).astype(np.int64)
    reach = np.abs(integers.astype(np.int64)).sum(axis=1) * ACTIVATION_LIMIT + np.abs(integer_bias)
    worst = int(reach.max())
    if worst >= ACCUMULATOR_LIMIT:
        raise ModelError(
            f"Layer {name!r} can reach an accumulator of {worst} (2^{math.log2(worst):.1f}); the "
            f"engine holds 2^26. Its reduction of {weight.shape[1]} is too long for int8 weights; "
            "split the layer."
        )
    return QuantisedLinear(integers, integer_bias.astype(np.int32), scale)


def row_ratios(
    layer: QuantisedLinear,
    input_scale: float,
    output_scale: float,
    power_of_two: bool,
    name: str,
) -> list[Ratio]:
    """For each output row, what takes its accumulator to steps of ``output_scale``.

    Raises:
        ModelError: a ratio is out of range; ``name`` is the layer's.
    """
    where = f" in layer {name!r}"
    factors = layer.scale * input_scale / output_scale
    return [ratio_from(f, power_of_two=power_of_two, where=where) for f in map(float, factors)]


def with_second_scaled(weight: np.ndarray, first: int, ratio: float) -> np.ndarray:
    """``weight`` (outputs, inputs) for two sources on one int8 scale: the columns from ``first`` on
    are multiplied by ``ratio``, the second source's scale over the first one's.
    """
    scaled = weight.copy()
    scaled[:, first:] *= ratio
    return scaled


def quantise_positions(tokens: Tokens, scale: float) -> np.ndarray:
    """Position embedding with the class token added, (rows, columns), in steps of the residual
    stream's ``scale``: whole numbers in float64 that fit 16 bits.
    """
    constants = tokens.position.astype(np.float64)
    constants[: len(tokens.class_token)] += tokens.class_token
    return np.rint(constants / scale).clip(-INT16_MAX, INT16_MAX)
