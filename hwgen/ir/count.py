# SPDX-License-Identifier: Apache-2.0
"""How large a network is."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    Linear,
    Op,
    PatchEmbedding,
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
    TokenSelector,
    inputs_of,
)
from hwgen.ir.selector import most_rows


def parameters(graph: Graph) -> int:
    """Weights, biases, embeddings and normalisation factors."""
    values = (getattr(op, field.name) for op in graph.ops for field in dataclasses.fields(op))
    return sum(value.size for value in values if isinstance(value, np.ndarray))


def macs(graph: Graph, single: Collection[str] = (), rows: Sequence[int] | None = None) -> int:
    """Multiplications of one image in matrix products, attention included, padding not.

    A ``TokenSelector`` works head by head; the products that the passes make of it have zero
    weights between heads, which count.

    Args:
        single: values of which only one row is computed.
        rows: what each token selector in turn leaves for the image, class token and package
            tokens included; the most it can leave where None.
    """
    left = None if rows is None else iter(rows)
    shapes: dict[str, tuple[int, int]] = {}
    total = 0
    for op in graph.ops:
        inputs = [shapes.get(name, (0, 0)) for name in inputs_of(op)]
        count, columns = _shape(op, inputs, graph)
        if left is not None and isinstance(op, TokenSelector | SelectTokens):
            count = next(left)
        shapes[op.output] = (1 if op.output in single else count, columns)
        total += _macs(op, inputs, shapes[op.output])
    return total


def _shape(op: Op, inputs: list[tuple[int, int]], graph: Graph) -> tuple[int, int]:
    """Rows and columns of the output."""
    match op:
        case PatchEmbedding():
            image = graph.input
            return (image.height // op.patch) * (image.width // op.patch), op.weight.shape[0]
        case Tokens():
            return op.position.shape[0], op.position.shape[1]
        case Linear() | FusedLinear():
            return inputs[0][0], op.weight.shape[0]
        case TakeToken() | TokenMean():
            return 1, inputs[0][1]
        case TokenSelector() | SelectTokens():
            return most_rows(op, inputs[0][0]), inputs[0][1]
        case Attention():
            return inputs[0][0], inputs[2][1]
        case _:
            return inputs[0]


def _macs(op: Op, inputs: list[tuple[int, int]], output: tuple[int, int]) -> int:
    match op:
        case PatchEmbedding() | Linear() | FusedLinear():
            return output[0] * op.weight.size
        case Attention():
            (_, width), (keys, _), (_, value_width) = inputs
            return output[0] * keys * (width + value_width)
        case TokenSelector():
            return inputs[0][0] * _selector_weights(op)
        case _:
            return 0


def _selector_weights(op: TokenSelector) -> int:
    return sum(
        weight.size
        for weight in (
            op.local_weight,
            op.hidden1_weight,
            op.hidden2_weight,
            op.score_weight,
            op.importance_hidden_weight,
            op.importance_weight,
        )
    )
