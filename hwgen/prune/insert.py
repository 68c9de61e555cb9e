# SPDX-License-Identifier: Apache-2.0
"""Puts untrained token selectors in front of chosen blocks of a Graph."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

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

LOCAL_FEATURES = 16
"""Local features a head; as many first hidden units, half as many second ones."""


def block_inputs(graph: Graph) -> tuple[str, ...]:
    """The value that enters each transformer block: the residual stream in front of it.

    Raises ModelError when an attention does not start from a residual stream.
    """
    return tuple(_stream(graph, op) for op in graph.ops if isinstance(op, Attention))


def insert_selectors(
    graph: Graph,
    blocks: Sequence[int],
    *,
    package: Package = "merged",
    features: int = LOCAL_FEATURES,
    threshold: float = 0.5,
    seed: int = 0,
) -> Graph:
    """``graph`` with a TokenSelector in front of each of ``blocks``, counted from 1.

    The weights are random (a truncated normal law by fan-in) and depend on ``seed`` alone; the
    biases of the scores lean towards keeping. ``features`` is f of TokenSelector.

    Raises:
        ConfigError: a block that is not there, named twice, or out of order.
        ModelError: the graph has selectors already, no class token, or reads another token.
    """
    streams = block_inputs(graph)
    _check(graph, blocks, len(streams))
    tokens = next(op for op in graph.ops if isinstance(op, Tokens))
    prefix, columns = tokens.class_token.shape
    heads = next(op.heads for op in graph.ops if isinstance(op, Attention))
    random = np.random.default_rng(seed)
    for stage, block in enumerate(blocks):
        stream = streams[block - 1]
        packages = stage if package == "kept" else min(stage, 1)
        selector = _untrained(random, f"selector{stage + 1}", stream, columns, heads, features)
        selector = replace(
            selector, threshold=threshold, prefix=prefix, packages=packages, package=package
        )
        graph = _put_in(graph, selector)
    return graph


def _stream(graph: Graph, attention: Attention) -> str:
    """Walks back from the queries to the value that the block normalises."""
    value = attention.query
    while isinstance(op := graph.producer(value), LayerNorm | Linear | Scale):
        value = op.input
    if not any(isinstance(consumer, Add) for consumer in graph.consumers(value)):
        raise ModelError(
            f"The attention '{attention.name}' does not start from a residual stream; token "
            "selectors go in front of blocks of the form x + attention(norm(x))."
        )
    return value


def _check(graph: Graph, blocks: Sequence[int], depth: int) -> None:
    if any(isinstance(op, TokenSelector) for op in graph.ops):
        raise ModelError(
            f"The model '{graph.name}' has token selectors already; start from the unpruned model."
        )
    if not blocks:
        raise ConfigError("There are no selectors to insert; name at least one block.")
    for block in blocks:
        if not 1 <= block <= depth:
            raise ConfigError(
                f"There is no block {block} to put a token selector in front of; "
                f"'{graph.name}' has blocks 1 to {depth}."
            )
    if list(blocks) != sorted(set(blocks)):
        raise ConfigError(
            f"The selectors' blocks {', '.join(map(str, blocks))} must ascend, each named once."
        )
    tokens = next((op for op in graph.ops if isinstance(op, Tokens)), None)
    prefix = 0 if tokens is None else len(tokens.class_token)
    for op in graph.ops:
        if isinstance(op, TakeToken) and op.index >= prefix:
            raise ModelError(
                f"'{graph.name}' classifies by token {op.index}, which a selector could drop; "
                "token selection needs a class token that the head reads."
            )


def _untrained(
    random: np.random.Generator, name: str, stream: str, columns: int, heads: int, features: int
) -> TokenSelector:
    size = columns // heads

    def weight(*shape: int) -> np.ndarray:
        values = np.clip(random.standard_normal(shape), -2, 2)
        return (values / np.sqrt(shape[-1])).astype(np.float32)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    half = max(features // 2, 1)
    keep = zeros(heads, 2)
    keep[:, 0] = 1.0
    return TokenSelector(
        name=name,
        input=stream,
        output=f"{stream}.{name}",
        heads=heads,
        gamma=np.ones(columns, np.float32),
        beta=zeros(columns),
        epsilon=1e-6,
        local_weight=weight(heads, features, size),
        local_bias=zeros(heads, features),
        hidden1_weight=weight(heads, features, 2 * features),
        hidden1_bias=zeros(heads, features),
        hidden2_weight=weight(heads, half, features),
        hidden2_bias=zeros(heads, half),
        score_weight=weight(heads, 2, half),
        score_bias=keep,
        importance_hidden_weight=weight(heads, heads),
        importance_hidden_bias=zeros(heads),
        importance_weight=weight(heads, heads),
        importance_bias=zeros(heads),
    )


def _put_in(graph: Graph, selector: TokenSelector) -> Graph:
    """The selector right behind the operation that makes its input; others read its output."""
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
    return replace(op, **{f: new for f in fields if getattr(op, f, None) == old})
