# SPDX-License-Identifier: Apache-2.0
"""Networks whose blocks all see a given share of the tokens, whatever their weights are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hwgen.errors import ConfigError
from hwgen.ir.graph import Attention, Graph, PatchEmbedding, TokenSelector
from hwgen.prune.insert import insert_selectors

CERTAIN = 8.0
"""A difference of logits at which every token stays: larger than int8 in Q3.4 holds."""


def at_share(graph: Graph, share: float) -> Graph:
    """``graph`` with selectors that keep the first ``round(share * patches)`` tokens of every
    image: before the first block, and again before the middle one, where a selector sees just that
    share. Where it is 1 the first one is left out.

    Raises:
        ConfigError: the share is not in (0, 1], or so small that no token stays.
        ModelError: the graph has selectors already, or cannot take one.
    """
    patches = _patches(graph)
    if not 0 < share <= 1 or round(share * patches) < 1:
        raise ConfigError(
            f"A keep ratio of {share:g} is not possible: {graph.name} has {patches} patches, so "
            f"keep ratios go from {1 / patches:.4f} (one token) to 1."
        )
    middle = sum(isinstance(op, Attention) for op in graph.ops) // 2 + 1
    return _keeping(graph, [middle] if share == 1 else sorted({1, middle}), round(share * patches))


def _keeping(graph: Graph, blocks: Sequence[int], limit: int) -> Graph:
    inserted = insert_selectors(graph, blocks)
    ops = tuple(_certain(op, limit) if isinstance(op, TokenSelector) else op for op in inserted.ops)
    return replace(inserted, ops=ops)


def _patches(graph: Graph) -> int:
    patch = next(op.patch for op in graph.ops if isinstance(op, PatchEmbedding))
    return (graph.input.height // patch) * (graph.input.width // patch)


def _certain(selector: TokenSelector, limit: int) -> TokenSelector:
    """The selector with scores that do not depend on the image."""
    bias = np.zeros_like(selector.score_bias)
    bias[:, 0] = CERTAIN
    return replace(
        selector, score_weight=np.zeros_like(selector.score_weight), score_bias=bias, limit=limit
    )
