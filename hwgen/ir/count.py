# SPDX-License-Identifier: Apache-2.0
"""How large a network is."""

import dataclasses
from collections.abc import Collection

import numpy as np

from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    Linear,
    Op,
    PatchEmbedding,
    TakeToken,
    Tokens,
    inputs_of,
)


def parameters(graph: Graph) -> int:
    """Weights, biases, embeddings and normalisation factors."""
    values = (getattr(op, field.name) for op in graph.ops for field in dataclasses.fields(op))
    return sum(value.size for value in values if isinstance(value, np.ndarray))


def macs(graph: Graph, single: Collection[str] = ()) -> int:
    """Multiplications of one image in matrix products, attention included, padding not.

    Args:
        single: values of which only one row is computed.
    """
    shapes: dict[str, tuple[int, int]] = {}
    total = 0
    for op in graph.ops:
        inputs = [shapes.get(name, (0, 0)) for name in inputs_of(op)]
        rows, columns = _shape(op, inputs, graph)
        shapes[op.output] = (1 if op.output in single else rows, columns)
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
        case TakeToken():
            return 1, inputs[0][1]
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
        case _:
            return 0
