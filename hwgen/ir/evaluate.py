# SPDX-License-Identifier: Apache-2.0
"""Float evaluation of a Graph in numpy: the reference that passes and quantisation start from."""

from collections.abc import Callable

import numpy as np

from hwgen.errors import DataError
from hwgen.ir.functions import gelu, normalise, relu, softmax, split_heads
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
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
    TokenSelector,
    inputs_of,
)
from hwgen.ir.selector import kept_rows, select_rows, selector_scores

Observer = Callable[[str, np.ndarray], None]
"""Called with the name and the array (images, rows, columns) of each value as it is made."""

SelectionObserver = Callable[[str, np.ndarray], None]
"""Called with the name of each token selector and which of its rows stay, bool (rows,), image by
image."""


def evaluate(
    graph: Graph,
    images: np.ndarray,
    observe: Observer | None = None,
    select: SelectionObserver | None = None,
) -> np.ndarray:
    """Runs ``graph`` on ``images``, uint8 (images, height, width, channels).

    Returns the output value, float32 (images, rows, columns). ``observe`` sees every value;
    a value is dropped after its last use, so memory stays that of a few layers. Where tokens are
    selected, images have different numbers of rows: they run one by one, ``observe`` sees one at
    a time, and the output must have as many rows for each of them.

    Raises DataError when the images do not fit the graph's input.
    """
    pixels = normalise_pixels(graph.input, images)
    if not selects_tokens(graph):
        return _run(graph, pixels, observe, select)
    parts = [_run(graph, pixels[i : i + 1], observe, select) for i in range(len(pixels))]
    return np.concatenate(parts)


def selects_tokens(graph: Graph) -> bool:
    """Whether row counts depend on the image."""
    return any(isinstance(op, TokenSelector | SelectTokens) for op in graph.ops)


def _run(
    graph: Graph,
    pixels: np.ndarray,
    observe: Observer | None,
    select: SelectionObserver | None,
) -> np.ndarray:
    values = {graph.input.name: pixels}
    last_use = {name: op for op in graph.ops for name in inputs_of(op)}
    for op in graph.ops:
        result = _evaluate_op(op, select, *(values[name] for name in inputs_of(op)))
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


def patches(images: np.ndarray, patch: int) -> np.ndarray:
    """Cuts (images, height, width, channels) into rows (images, patches, patch*patch*channels).

    Patches stand in row-major image order; columns run over patch row, patch column, channel.
    """
    count, height, width, channels = images.shape
    tiles = images.reshape(count, height // patch, patch, width // patch, patch, channels)
    return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(count, -1, patch * patch * channels)


def _evaluate_op(op: Op, select: SelectionObserver | None, *inputs: np.ndarray) -> np.ndarray:
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
        case TokenMean():
            return x.mean(axis=1, keepdims=True)
        case FusedLinear():
            return _fused_linear(op, *inputs)
        case TokenSelector():
            return _selected(op, x, selector_scores(op, x), select)
        case SelectTokens():
            return _selected(op, x, inputs[1], select)


def _fused_linear(op: FusedLinear, x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """``others`` are the second source and the residual operand, as far as there are any."""
    if op.epsilon is not None:
        x = normalise(x, op.epsilon)
    if op.second is not None:
        second = np.broadcast_to(others[0], (*x.shape[:2], others[0].shape[2]))
        x = np.concatenate([x, second], axis=2)
    result = x @ op.weight.T + op.bias
    if op.gelu:
        result = gelu(result)
    if op.relu:
        result = relu(result)
    return result if op.residual is None else others[-1] + result


def _selected(
    op: TokenSelector | SelectTokens,
    x: np.ndarray,
    scores: np.ndarray,
    select: SelectionObserver | None,
) -> np.ndarray:
    """The rows that are left of the one image in ``x`` (1, rows, columns)."""
    kept = kept_rows(op, scores[0])
    if select is not None:
        select(op.name, kept)
    return select_rows(x[0], kept)[None]


def _attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int, scale: float
) -> np.ndarray:
    """``softmax(scale * Q K^T) V`` per head on (images, rows, heads * size)."""
    q, k, v = (split_heads(x, heads) for x in (query, key, value))
    scores = (q * np.float32(scale)) @ k.swapaxes(2, 3)
    mixed = softmax(scores) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(*query.shape[:2], value.shape[2])
