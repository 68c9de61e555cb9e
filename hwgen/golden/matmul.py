# SPDX-License-Identifier: Apache-2.0
"""The MATMUL instruction and the exact integer product below it."""

from dataclasses import dataclass

import numpy as np

from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX, requantise, saturate
from hwgen.numerics.gelu import gelu_int8
from hwgen.numerics.layer_norm import normalise
from hwgen.numerics.mean import mean_ratio
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Matmul
from hwgen.program.program import PARAMETER_BYTES

EXACT_REDUCTION = 1024
"""Products are at most 127 * 128; 1,024 of them stay below 2^24, where float32 is exact."""


def exact_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left @ right`` of int8-range integers as int64, computed exactly.

    float32 BLAS carries the integers: each partial sum over at most 1,024 products is an integer
    below 2^24 and therefore exact in any order of addition. Longer reductions are cut into parts
    that are added as integers.

    Args:
        left: (..., rows, K), magnitudes up to 128.
        right: (..., K, columns), magnitudes up to 127.
    """
    total = np.zeros((), np.int64)
    for start in range(0, left.shape[-1], EXACT_REDUCTION):
        part = slice(start, start + EXACT_REDUCTION)
        product = left[..., part].astype(np.float32) @ right[..., part, :].astype(np.float32)
        total = total + product.astype(np.int64)
    return total


@dataclass(frozen=True)
class LayerParameters:
    """What the weight stream holds for one MATMUL, K and N padded to whole slices.

    weights int8 (N, K); bias int32 (N,), multiplier uint16 (N,), shift uint8 (N,).
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray


def pack_parameters(parameters: LayerParameters, lanes: int) -> np.ndarray:
    """The weight stream of one MATMUL: uint8 (beats, lanes).

    For each output slice: 8 beats of parameters, 8 bytes a channel (bias, multiplier, shift, zero),
    then for each reduction slice one beat for each channel, holding that channel's weights for
    the elements of the slice. The array is loaded channel by channel, as it loads keys.
    """
    outputs, inputs = parameters.weights.shape
    head = np.zeros((outputs, PARAMETER_BYTES), np.uint8)
    head[:, 0:4] = parameters.bias.astype("<i4").view(np.uint8).reshape(-1, 4)
    head[:, 4:6] = parameters.multiplier.astype("<u2").view(np.uint8).reshape(-1, 2)
    head[:, 6] = parameters.shift
    slices = outputs // lanes
    tiles = parameters.weights.astype(np.int8).reshape(slices, lanes, inputs // lanes, lanes)
    tiles = np.ascontiguousarray(tiles.transpose(0, 2, 1, 3)).view(np.uint8)
    stream = [head.reshape(slices, -1), tiles.reshape(slices, -1)]
    return np.concatenate(stream, axis=1).reshape(-1, lanes)


def unpack_parameters(stream: np.ndarray, op: Matmul, engine: EngineConfig) -> LayerParameters:
    """The inverse of ``pack_parameters``, reading ``op``'s part of the weight region."""
    lanes, inputs = engine.lanes, op.reduction_slices * engine.lanes
    beats = PARAMETER_BYTES + inputs
    block = stream[op.offset : op.offset + op.output_slices * beats]
    block = block.reshape(op.output_slices, beats, lanes)
    head = np.ascontiguousarray(block[:, :PARAMETER_BYTES]).reshape(-1, PARAMETER_BYTES)
    tiles = block[:, PARAMETER_BYTES:].view(np.int8)
    tiles = tiles.reshape(op.output_slices, op.reduction_slices, lanes, lanes)
    weights = tiles.transpose(0, 2, 1, 3).reshape(-1, inputs)
    return LayerParameters(
        weights=weights,
        bias=np.ascontiguousarray(head[:, 0:4]).view("<i4").ravel(),
        multiplier=np.ascontiguousarray(head[:, 4:6]).view("<u2").ravel(),
        shift=head[:, 6],
    )


def matmul(
    op: Matmul, source: np.ndarray, residual: np.ndarray | None, parameters: LayerParameters
) -> np.ndarray:
    """The result of a MATMUL, int64 (..., rows, N).

    Args:
        source: int64 or int8 (..., rows, K): the rows as they lie in the source buffer.
        residual: int16 (..., rows, N) where ``op.residual`` is set.
    """
    if op.normalise:
        source = normalise(source.astype(np.int64), op.normalise_constants)
    accumulator = exact_product(source, parameters.weights.T) + parameters.bias
    multiplier, shift = parameters.multiplier, parameters.shift
    if op.gelu:
        wide = requantise(accumulator, multiplier, shift, INT16_MAX)
        return gelu_int8(wide, op.gelu_constants, op.gelu_output)
    if op.destination_buffer in (Buffer.WORK, Buffer.VALUE):
        return requantise(accumulator, multiplier, shift, INT8_MAX)
    wide = requantise(accumulator, multiplier, shift, INT16_MAX)
    return wide if residual is None else saturate(wide + residual, INT16_MAX)


def row_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the rows of an int8 result: int64 (..., 1, columns) of (..., rows, columns)."""
    ratio = mean_ratio(values.shape[-2])
    total = values.sum(axis=-2, keepdims=True, dtype=np.int64)
    return requantise(total, ratio.multiplier, ratio.shift, INT8_MAX)
