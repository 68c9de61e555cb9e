# SPDX-License-Identifier: Apache-2.0
"""Float evaluation of a Graph in numpy: the reference that passes and quantisation start from."""

from collections.abc import Callable

import numpy as np

from hwgen.errors import DataError
from hwgen.ir.graph import (
    Add,
    Attention,
    FusedLinear,
    Gelu,
    Graph,
    ImageInput,
    LayerNorm,
    Linear,
    Op,
    PatchEmbedding,
    Scale,
    TakeToken,
    Tokens,
    inputs_of,
)

Observer = Callable[[str, np.ndarray], None]
"""Called with the name and the array (images, rows, columns) of each value as it is made."""

# erf(x) = x * P(x^2) / Q(x^2) for |x| <= 4, where float32 erf is 1. Coefficients of the minimax
# fit that Eigen and XLA use, highest power first; the error stays below 5e-7 (a test measures it).
_ERF_LIMIT = np.float32(4.0)
_ERF_P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def evaluate(graph: Graph, images: np.ndarray, observe: Observer | None = None) -> np.ndarray:
    """Runs ``graph`` on ``images``, uint8 (images, height, width, channels).

    Returns the output value, float32 (images, rows, columns). ``observe`` sees every value;
    a value is dropped after its last use, so memory stays that of a few layers.

    Raises DataError when the images do not fit the graph's input.
    """
    values = {graph.input.name: normalise_pixels(graph.input, images)}
    last_use = {name: op for op in graph.ops for name in inputs_of(op)}
    for op in graph.ops:
        result = _evaluate_op(op, *(values[name] for name in inputs_of(op)))
        for name in set(inputs_of(op)):
            if last_use[name] is op and name != graph.output:
                del values[name]
        values[op.output] = result
        if observe is not None:
            observe(op.output, result)
    return values[graph.output]


def logits(graph: Graph, images: np.ndarray) -> np.ndarray:
    """Class scores, float32 (images, classes), of a graph that ends in one row."""
    return evaluate(graph, images)[:, 0]


def normalise_pixels(image: ImageInput, images: np.ndarray) -> np.ndarray:
    """``(pixel / 255 - mean) / std``, float32, for uint8 (images, height, width, channels).

    Raises DataError on another type or shape, or where there are no images.
    """
    expected = (image.height, image.width, image.channels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != expected:
        raise DataError(
            f"The images are {images.dtype} of shape {images.shape}; this model takes uint8 of "
            f"shape (images, {', '.join(map(str, expected))}), that is height, width, channels."
        )
    if len(images) == 0:
        raise DataError("There are no images to evaluate; give at least one.")
    mean = np.asarray(image.mean, np.float32)
    std = np.asarray(image.std, np.float32)
    return (images / np.float32(255) - mean) / std


def erf(x: np.ndarray) -> np.ndarray:
    """The error function in float32, within 5e-7 of the exact one."""
    x = np.clip(x, -_ERF_LIMIT, _ERF_LIMIT)
    square = x * x
    x *= _polynomial(_ERF_P, square)
    x /= _polynomial(_ERF_Q, square)
    return x


def gelu(x: np.ndarray) -> np.ndarray:
    """``x / 2 * (1 + erf(x / sqrt(2)))`` in float32, within 2e-6 for x in [-8, 8]."""
    result = erf(x * np.float32(np.sqrt(0.5)))
    result += np.float32(1)
    result *= x
    result *= np.float32(0.5)
    return result


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis in float32."""
    result = np.exp(x - x.max(axis=-1, keepdims=True))
    result /= result.sum(axis=-1, keepdims=True)
    return result


def normalise(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Each row shifted and scaled to mean 0 and variance 1 (LayerNorm without gamma and beta)."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    centred /= np.sqrt(variance + np.float32(epsilon))
    return centred


def patches(images: np.ndarray, patch: int) -> np.ndarray:
    """Cuts (images, height, width, channels) into rows (images, patches, patch*patch*channels).

    Patches stand in row-major image order; columns run over patch row, patch column, channel.
    """
    count, height, width, channels = images.shape
    tiles = images.reshape(count, height // patch, patch, width // patch, patch, channels)
    return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(count, -1, patch * patch * channels)


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += np.float32(coefficient)
    return result


def _evaluate_op(op: Op, *inputs: np.ndarray) -> np.ndarray:
    """Applies one operation to its inputs, in the order of ``inputs_of``."""
    x = inputs[0]
    match op:
        case PatchEmbedding():
            return patches(x, op.patch) @ op.weight.T + op.bias
        case Tokens():
            prefix = np.broadcast_to(op.class_token, (len(x), *op.class_token.shape))
            return np.concatenate([prefix, x], axis=1) + op.position
        case Linear():
            return x @ op.weight.T + op.bias
        case LayerNorm():
            return normalise(x, op.epsilon) * op.gamma + op.beta
        case Gelu():
            return gelu(x)
        case Add():
            return x + inputs[1]
        case Scale():
            return x * op.factor
        case Attention():
            return _attention(x, inputs[1], inputs[2], op.heads, op.scale)
        case TakeToken():
            return x[:, op.index : op.index + 1]
        case FusedLinear():
            if op.epsilon is not None:
                x = normalise(x, op.epsilon)
            result = x @ op.weight.T + op.bias
            if op.gelu:
                result = gelu(result)
            return result if op.residual is None else inputs[1] + result


def _attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int, scale: float
) -> np.ndarray:
    """``softmax(scale * Q K^T) V`` per head on (images, rows, heads * size)."""
    q, k, v = (split_heads(x, heads) for x in (query, key, value))
    scores = (q * np.float32(scale)) @ k.swapaxes(2, 3)
    mixed = softmax(scores) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(*query.shape[:2], value.shape[2])


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """(images, rows, heads * size) to (images, heads, rows, size)."""
    images, rows, columns = x.shape
    return x.reshape(images, rows, heads, columns // heads).transpose(0, 2, 1, 3)
