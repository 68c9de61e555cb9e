# SPDX-License-Identifier: Apache-2.0
"""Folds Scale into the operation before it."""

from dataclasses import replace

import numpy as np

from hwgen.ir.edit import sole_consumer
from hwgen.ir.graph import Add, Graph, LayerNorm, Linear, Op, PatchEmbedding, Scale


def fold_scale(graph: Graph) -> Graph:
    """Multiplies each Scale into the weights that make its input, through an Add into both sides.

    A Scale whose input has other readers, or no weights behind it, stays.
    """
    for scale in [op for op in graph.ops if isinstance(op, Scale)]:
        graph = _fold(graph, scale.output)
    return graph


def _fold(graph: Graph, output: str) -> Graph:
    scale = graph.producer(output)
    assert isinstance(scale, Scale)
    scaled = _scaled(graph, scale.input, scale.factor)
    if scaled is None:
        return graph
    scaled[scale.input] = replace(scaled[scale.input], output=output)
    kept = (op for op in graph.ops if op is not scale)
    return replace(graph, ops=tuple(scaled.get(op.output, op) for op in kept))


def _scaled(graph: Graph, value: str, factor: np.ndarray) -> dict[str, Op] | None:
    """The operations behind ``value`` that change, by output, so that it comes out times factor.

    None when that is not possible.
    """
    op = graph.producer(value)
    if sole_consumer(graph, value) is None:
        return None
    match op:
        case Linear() | PatchEmbedding():
            weight = op.weight * factor[:, None]
            return {value: replace(op, weight=weight, bias=op.bias * factor)}
        case LayerNorm():
            return {value: replace(op, gamma=op.gamma * factor, beta=op.beta * factor)}
        case Scale():
            return {value: replace(op, factor=op.factor * factor)}
        case Add():
            left = _scaled(graph, op.left, factor)
            right = _scaled(graph, op.right, factor)
            return None if left is None or right is None else {value: op, **left, **right}
        case _:
            return None
