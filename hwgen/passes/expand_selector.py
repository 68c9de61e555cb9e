# SPDX-License-Identifier: Apache-2.0
"""Takes a token selector apart into products, a mean and the selection."""

from dataclasses import replace

import numpy as np

from hwgen.ir.graph import FusedLinear, Graph, Op, SelectTokens, TokenMean, TokenSelector


def expand_selector(graph: Graph) -> Graph:
    """Replaces each TokenSelector by four FusedLinears, a TokenMean and a SelectTokens.

    All heads go through one product; weights between heads are zero. Gamma and beta, and the
    mean over a head's columns that the importance branch starts with, are folded into the weights
    of the first product; the softmax of two logits depends on their difference alone.
    """
    ops: list[Op] = []
    for op in graph.ops:
        ops += _expanded(op) if isinstance(op, TokenSelector) else [op]
    return replace(graph, ops=tuple(ops))


def _expanded(op: TokenSelector) -> list[Op]:
    heads, features, size = op.local_weight.shape
    hidden = len(op.importance_hidden_weight)
    local, mean, hidden1, hidden2, scores = (
        f"{op.output}.{part}" for part in ("local", "mean", "hidden1", "hidden2", "scores")
    )
    # The first product: local features of every head, then the hidden layer of the importances.
    pooling = np.repeat(op.importance_hidden_weight / size, size, axis=1)
    weight = np.concatenate([_diagonal(op.local_weight), pooling])
    bias = np.concatenate([op.local_bias.ravel(), op.importance_hidden_bias])
    first = _product(op, "local", op.input, local, weight * op.gamma, bias + weight @ op.beta)
    # The first hidden layer: local features, then their means. It skips the importances.
    own, shared = op.hidden1_weight[:, :, :features], op.hidden1_weight[:, :, features:]
    gap = np.zeros((heads * op.hidden1_weight.shape[1], hidden))
    weight = np.concatenate([_diagonal(own), gap, _diagonal(shared), gap], axis=1)
    second = _product(op, "hidden1", local, hidden1, weight, op.hidden1_bias.ravel())
    weight = _diagonal(op.hidden2_weight)
    third = _product(op, "hidden2", hidden1, hidden2, weight, op.hidden2_bias.ravel())
    # The scores: differences from the second hidden layer, importances from the first product.
    differences = _diagonal(op.score_weight[:, :1] - op.score_weight[:, 1:])
    weight = np.zeros((2 * heads, differences.shape[1] + heads * features + hidden))
    weight[:heads, : differences.shape[1]] = differences
    weight[heads:, -hidden:] = op.importance_weight
    bias = np.concatenate([op.score_bias[:, 0] - op.score_bias[:, 1], op.importance_bias])
    last = _product(op, "scores", hidden2, scores, weight, bias)
    return [
        replace(first, epsilon=op.epsilon),
        TokenMean(f"{op.name}.mean", local, mean),
        replace(second, second=mean),
        third,
        replace(last, second=local, gelu=False, relu=False),
        SelectTokens(
            op.name,
            op.input,
            scores,
            op.output,
            op.heads,
            op.threshold,
            op.prefix,
            op.packages,
            op.package,
            op.limit,
        ),
    ]


def _product(
    op: TokenSelector, part: str, source: str, output: str, weight: np.ndarray, bias: np.ndarray
) -> FusedLinear:
    """A linear layer of the selector, with its activation."""
    return FusedLinear(
        name=f"{op.name}.{part}",
        input=source,
        output=output,
        weight=weight.astype(np.float32),
        bias=bias.astype(np.float32),
        epsilon=None,
        gelu=op.activation == "gelu",
        residual=None,
        relu=op.activation == "relu",
    )


def _diagonal(blocks: np.ndarray) -> np.ndarray:
    """(heads, outputs, inputs) as one float64 matrix (heads * outputs, heads * inputs)."""
    heads, outputs, inputs = blocks.shape
    matrix = np.zeros((heads, outputs, heads, inputs))
    matrix[np.arange(heads), :, np.arange(heads)] = blocks
    return matrix.reshape(heads * outputs, heads * inputs)
