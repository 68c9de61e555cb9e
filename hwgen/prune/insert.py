# SPDX-License-Identifier: Apache-2.0
"""Puts untrained token selectors in front of chosen blocks of a Graph."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from hwgen.errors import ConfigError, ModelError
from hwgen.ir.graph import (
    Add,
    Attention,
    Graph,
    LayerNorm,
    Linear,
    Op,
    Scale,
    TakeToken,
    Tokens,
    TokenSelector,
    inputs_of,
)

Package = Literal["merged", "kept"]

FEATURES = 16
"""Local features a head, and first hidden units; half as many second ones."""


def block_inputs(graph: Graph) -> tuple[str, ...]:
    """The residual stream in front of each transformer block, by name.

    Raises ModelError when an attention does not start from a residual stream.
    """
    return tuple(_stream(graph, op) for op in graph.ops if isinstance(op, Attention))


def insert_selectors(
    graph: Graph,
    blocks: Sequence[int],
    *,
    package: Package = "merged",
    features: int = FEATURES,
    threshold: float = 0.5,
    seed: int = 0,
) -> Graph:
    """``graph`` with a TokenSelector in front of each of ``blocks``, counted from 1.

    ``features`` is f of TokenSelector. Weights are random, with a variance of about one over the
    number of inputs, and depend on ``seed`` and the block alone; the bias of scores leans towards
    keeping.

    Raises:
        ConfigError: a block that is not there, named twice, or out of order.
        ModelError: the graph has selectors already, or classifies by a token they could drop.
    """
    streams = block_inputs(graph)
    check_blocks(graph.name, blocks, len(streams))
    prefix, columns = _class_tokens(graph)
    heads = next(op.heads for op in graph.ops if isinstance(op, Attention))
    for stage, block in enumerate(blocks):
        arrays = _untrained(np.random.default_rng((seed, block)), columns, heads, features)
        selector = TokenSelector(
            name=f"selector{block}",
            input=streams[block - 1],
            output=f"{streams[block - 1]}.selected",
            heads=heads,
            epsilon=1e-6,
            threshold=threshold,
            prefix=prefix,
            packages=stage if package == "kept" else min(stage, 1),
            package=package,
            **arrays,
        )
        graph = _put_in(graph, selector)
    return graph


def check_blocks(model: str, blocks: Sequence[int], depth: int) -> None:
    """Raises ConfigError unless ``blocks`` (from 1) are ascending blocks of ``depth``."""
    if not blocks:
        raise ConfigError("There are no selectors to insert; name at least one block.")
    for block in blocks:
        if not 1 <= block <= depth:
            raise ConfigError(
                f"There is no block {block} to put a token selector in front of; '{model}' has "
                f"blocks 1 to {depth}."
            )
    if list(blocks) != sorted(set(blocks)):
        raise ConfigError(
            f"The blocks of the selectors, {', '.join(map(str, blocks))}, must ascend, each named "
            "once."
        )


def _stream(graph: Graph, attention: Attention) -> str:
    """Walks back from the queries to the value that the block normalises."""
    value = attention.query
    while isinstance(op := graph.producer(value), LayerNorm | Linear | Scale):
        value = op.input
    if not any(isinstance(consumer, Add) for consumer in graph.consumers(value)):
        raise ModelError(
            f"The attention '{attention.name}' does not start from a residual stream; token "
            "selectors stand in front of blocks of the form x + attention(norm(x))."
        )
    return value


def _class_tokens(graph: Graph) -> tuple[int, int]:
    """Number of class tokens and columns; raises ModelError where selection is impossible."""
    if any(isinstance(op, TokenSelector) for op in graph.ops):
        raise ModelError(
            f"The model '{graph.name}' has token selectors already; start from the unpruned one."
        )
    prefix, columns = next(op.class_token.shape for op in graph.ops if isinstance(op, Tokens))
    for op in graph.ops:
        if isinstance(op, TakeToken) and op.index >= prefix:
            raise ModelError(
                f"The model '{graph.name}' classifies by token {op.index}, which a selector could "
                "drop; token selection needs a class token."
            )
    return prefix, columns


def _untrained(
    random: np.random.Generator, columns: int, heads: int, features: int
) -> dict[str, Any]:
    """The arrays of a TokenSelector."""

    def weight(*shape: int) -> np.ndarray:
        values = np.clip(random.standard_normal(shape), -2, 2) / np.sqrt(shape[-1])
        return values.astype(np.float32)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    half = max(features // 2, 1)
    return {
        "gamma": np.ones(columns, np.float32),
        "beta": zeros(columns),
        "local_weight": weight(heads, features, columns // heads),
        "local_bias": zeros(heads, features),
        "hidden1_weight": weight(heads, features, 2 * features),
        "hidden1_bias": zeros(heads, features),
        "hidden2_weight": weight(heads, half, features),
        "hidden2_bias": zeros(heads, half),
        "score_weight": weight(heads, 2, half),
        "score_bias": np.tile(np.array([1, 0], np.float32), (heads, 1)),
        "importance_hidden_weight": weight(heads, heads),
        "importance_hidden_bias": zeros(heads),
        "importance_weight": weight(heads, heads),
        "importance_bias": zeros(heads),
    }


def _put_in(graph: Graph, selector: TokenSelector) -> Graph:
    """The selector behind the operation that makes its input; all others read its output."""
    ops: list[Op] = []
    for op in graph.ops:
        ops.append(_redirected(op, selector.input, selector.output))
        if op.output == selector.input:
            ops.append(selector)
    return replace(graph, ops=tuple(ops))


def _redirected(op: Op, old: str, new: str) -> Op:
    """``op`` reading ``new`` in the place of ``old``."""
    if old not in inputs_of(op):
        return op
    fields = ("input", "left", "right", "query", "key", "value")
    changes: dict[str, Any] = {f: new for f in fields if getattr(op, f, None) == old}
    return replace(op, **changes)
