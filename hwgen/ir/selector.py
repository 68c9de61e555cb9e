# SPDX-License-Identifier: Apache-2.0
"""What a token selector computes, in float32 numpy (HeatViT, section IV; see ``TokenSelector``)."""

import numpy as np

from hwgen.ir.functions import gelu, normalise, relu, sigmoid, split_heads
from hwgen.ir.graph import SelectTokens, TokenSelector

LEAST_IMPORTANCE = 1 / 512
"""A head's importance is at least this, so that some head always has a say."""


def selector_scores(op: TokenSelector, x: np.ndarray) -> np.ndarray:
    """The scores of each row of ``x`` (images, rows, columns), float32 (images, rows, 2 * heads):
    for each head the difference of its two keep logits, then for each head the logit of its
    importance.
    """
    activation = relu if op.activation == "relu" else gelu
    heads = split_heads(normalise(x, op.epsilon) * op.gamma + op.beta, op.heads)

    def linear(inputs: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return inputs @ weight.swapaxes(1, 2) + bias[:, None]

    local = activation(linear(heads, op.local_weight, op.local_bias))
    mean = np.broadcast_to(local.mean(axis=2, keepdims=True), local.shape)
    both = np.concatenate([local, mean], axis=3)
    hidden1 = activation(linear(both, op.hidden1_weight, op.hidden1_bias))
    hidden2 = activation(linear(hidden1, op.hidden2_weight, op.hidden2_bias))
    pair = linear(hidden2, op.score_weight, op.score_bias)
    difference = (pair[..., 0] - pair[..., 1]).swapaxes(1, 2)
    pooled = heads.mean(axis=3).swapaxes(1, 2)
    hidden = activation(pooled @ op.importance_hidden_weight.T + op.importance_hidden_bias)
    importance = hidden @ op.importance_weight.T + op.importance_bias
    return np.concatenate([difference, importance], axis=2)


def kept_rows(op: TokenSelector | SelectTokens, scores: np.ndarray) -> np.ndarray:
    """Which rows of one image stay, bool (rows,), for ``scores`` (rows, 2 * heads)."""
    keep = sigmoid(scores[:, : op.heads])
    importance = np.maximum(sigmoid(scores[:, op.heads :]), np.float32(LEAST_IMPORTANCE))
    informative = (importance * (keep - np.float32(op.threshold))).sum(axis=1) > 0
    last = len(scores) - op.packages
    informative[: op.prefix] = False
    informative[last:] = False
    kept = informative
    if op.limit is not None:
        kept = informative & (np.cumsum(informative) <= op.limit)
    kept[: op.prefix] = True
    kept[last:] = op.package == "kept"
    return kept


def select_rows(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The rows of ``x`` (rows, columns) that stay, and the mean of the others; zeros where there
    are none.
    """
    dropped = x[~kept]
    package = dropped.sum(axis=0, keepdims=True) / np.float32(max(1, len(dropped)))
    return np.concatenate([x[kept], package])


def most_rows(op: TokenSelector | SelectTokens, rows: int) -> int:
    """The most rows that ``op`` leaves of ``rows``, its package token among them."""
    tokens = rows - op.prefix - op.packages
    kept = tokens if op.limit is None else min(tokens, op.limit)
    return op.prefix + kept + (op.packages if op.package == "kept" else 0) + 1


def fault(op: TokenSelector, rows: int, columns: int) -> str | None:
    """What is wrong with a selector that reads at most ``rows`` of ``columns``; None if nothing."""
    if op.package not in ("merged", "kept"):
        return f"its package tokens are '{op.package}'; they can be 'merged' or 'kept'"
    if op.activation not in ("gelu", "relu"):
        return f"its activation is '{op.activation}'; it can be 'gelu' or 'relu'"
    if op.heads < 1 or columns % op.heads:
        return f"its {op.heads} heads do not divide {columns} columns"
    if not 0 <= op.threshold <= 1:
        return f"its threshold is {op.threshold:g}; scores are between 0 and 1"
    if not 0 <= op.epsilon < np.inf:
        return f"its epsilon is {op.epsilon:g}; it can be 0 or above"
    if min(op.prefix, op.packages) < 0 or op.prefix + op.packages > rows:
        return f"{op.prefix} class and {op.packages} package tokens do not fit its {rows} rows"
    heads, size = op.heads, columns // op.heads
    features, first, second, hidden = (
        weight.shape[-2] if weight.ndim > 1 else 0
        for weight in (
            op.local_weight,
            op.hidden1_weight,
            op.hidden2_weight,
            op.importance_hidden_weight,
        )
    )
    expected = {
        "gamma": (columns,),
        "beta": (columns,),
        "local_weight": (heads, features, size),
        "local_bias": (heads, features),
        "hidden1_weight": (heads, first, 2 * features),
        "hidden1_bias": (heads, first),
        "hidden2_weight": (heads, second, first),
        "hidden2_bias": (heads, second),
        "score_weight": (heads, 2, second),
        "score_bias": (heads, 2),
        "importance_hidden_weight": (hidden, heads),
        "importance_hidden_bias": (hidden,),
        "importance_weight": (heads, hidden),
        "importance_bias": (heads,),
    }
    for name, shape in expected.items():
        if (found := getattr(op, name).shape) != shape:
            return f"its {name} has shape {found}, not {shape}"
    return None
