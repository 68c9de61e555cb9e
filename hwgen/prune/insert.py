# SPDX-License-Identifier: Apache-2.0
"""Puts untrained token selectors in front of chosen blocks of a Graph."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hwgen.errors import ConfigError, ModelError
from hwgen.ir.blocks import Block, blocks, put_in
from hwgen.ir.graph import Graph, TakeToken, Tokens, TokenSelector
from hwgen.keep_ratios import FEATURES

Package = Literal["merged", "kept"]


def insert_selectors(
    graph: Graph,
    numbers: Sequence[int],
    *,
    package: Package = "merged",
    features: int = FEATURES,
    threshold: float = 0.5,
    seed: int = 0,
) -> Graph:
    """``graph`` with a TokenSelector in front of each of the blocks ``numbers``, the first is 1.

    ``features`` is f of TokenSelector. Weights are random, with a variance of about one over the
    number of inputs, and depend on ``seed`` and the block alone; the bias of scores leans towards
    keeping.

    Raises:
        ConfigError: a block that is not there, named twice, or out of order.
        ModelError: the graph has selectors already, or classifies by a token they could drop.
    """
    prefix = _class_tokens(graph)
    found = blocks(graph)
    check_blocks(graph.name, numbers, len(found))
    for stage, number in enumerate(numbers):
        block = found[number - 1]
        selector = TokenSelector(
            name=f"selector{number}",
            input=block.input,
            output=f"selector{number}.out",
            heads=block.heads,
            epsilon=1e-6,
            threshold=threshold,
            prefix=prefix,
            packages=stage if package == "kept" else min(stage, 1),
            package=package,
            **_untrained(np.random.default_rng((seed, number)), block, features),
        )
        graph = put_in(graph, selector)
    return graph


def check_blocks(model: str, numbers: Sequence[int], depth: int, first: int = 1) -> None:
    """Raises ConfigError unless ``numbers`` ascend and are blocks ``first`` to ``depth``."""
    if not numbers:
        raise ConfigError("There are no token selectors to insert; name at least one block.")
    for number in numbers:
        if not first <= number <= depth:
            possible = (
                f"give blocks from {first} to {depth}"
                if first < depth
                else (f"give block {depth}" if first == depth else "it cannot be pruned")
            )
            raise ConfigError(
                f"A token selector cannot stand in front of block {number}: '{model}' has "
                f"{depth} block{'s' if depth != 1 else ''}; {possible}."
            )
    if list(numbers) != sorted(set(numbers)):
        raise ConfigError(
            f"The blocks of the token selectors, {', '.join(map(str, numbers))}, must ascend, "
            "each named once."
        )


def _class_tokens(graph: Graph) -> int:
    """Number of class tokens; raises ModelError where tokens cannot be selected."""
    if any(isinstance(op, TokenSelector) for op in graph.ops):
        raise ModelError(
            f"The model '{graph.name}' has token selectors already; start from the unpruned one."
        )
    prefix = next(len(op.class_token) for op in graph.ops if isinstance(op, Tokens))
    for op in graph.ops:
        if isinstance(op, TakeToken) and op.index >= prefix:
            raise ModelError(
                f"The model '{graph.name}' classifies by token {op.index}, which a selector could "
                "drop; token selection needs a class token."
            )
    return prefix


def _untrained(random: np.random.Generator, block: Block, features: int) -> dict[str, Any]:
    """The arrays of a TokenSelector."""

    def weight(*shape: int) -> np.ndarray:
        values = np.clip(random.standard_normal(shape), -2, 2) / np.sqrt(shape[-1])
        return values.astype(np.float32)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    heads, half = block.heads, max(features // 2, 1)
    return {
        "gamma": np.ones(block.columns, np.float32),
        "beta": zeros(block.columns),
        "local_weight": weight(heads, features, block.columns // heads),
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
