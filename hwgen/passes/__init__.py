# SPDX-License-Identifier: Apache-2.0
"""Rewrites of the float Graph. Each pass is a function Graph -> Graph that keeps its meaning."""

from collections.abc import Callable

from hwgen.ir.graph import Graph
from hwgen.passes.check import check_canonical
from hwgen.passes.early_token import take_token_early
from hwgen.passes.expand_selector import expand_selector
from hwgen.passes.fold_norm import fold_norm
from hwgen.passes.fold_scale import fold_scale
from hwgen.passes.fuse_linear import fuse_linear

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    fold_scale,
    take_token_early,
    fold_norm,
    fuse_linear,
    expand_selector,
)


def canonicalise(graph: Graph) -> Graph:
    """Applies all passes in order.

    What remains is PatchEmbedding, Tokens, Attention, TakeToken and FusedLinear, and for token
    selectors TokenMean and SelectTokens. Raises ModelError when anything else does, or where a
    row is taken that a token selector may have dropped or moved.
    """
    for one_pass in PASSES:
        graph = one_pass(graph)
    check_canonical(graph)
    return graph
