# SPDX-License-Identifier: Apache-2.0
"""Which rows operations may read behind token selectors."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hwgen.errors import ModelError
from hwgen.ir.graph import Add, Graph, LayerNorm, TakeToken, TokenSelector
from hwgen.ir.rows import check_rows
from hwgen.passes import canonicalise


def test_networks_as_they_are(selecting: Callable[..., Graph]) -> None:
    check_rows(selecting())
    check_rows(canonicalise(selecting(limit=5, package="kept")))


def test_the_last_row_is_nowhere_known(selecting: Callable[..., Graph]) -> None:
    graph = selecting()
    ops = tuple(replace(op, index=17) if isinstance(op, TakeToken) else op for op in graph.ops)
    with pytest.raises(ModelError, match="^selecting: 'take_token' takes row 17, but the token"):
        check_rows(replace(graph, ops=ops))


def test_rows_from_before_and_behind_a_selector(selecting: Callable[..., Graph]) -> None:
    """With a limit of 15 there can be 17 rows on both sides, and the shapes agree."""
    graph = selecting(limit=15)
    first = next(op for op in graph.ops if isinstance(op, TokenSelector))
    add = next(op for op in graph.ops if isinstance(op, Add) and op.left == first.output)
    ops = tuple(replace(op, left=first.input) if op is add else op for op in graph.ops)
    with pytest.raises(
        ModelError,
        match=f"'{add.name}' has rows of different tokens: .* comes from before any selector, .* "
        "from behind token selector 'selector2'. Let both come from behind the same one",
    ):
        check_rows(replace(graph, ops=ops))


def test_selectors_beside_one_another(selecting: Callable[..., Graph]) -> None:
    graph = selecting()
    index, first = next((i, o) for i, o in enumerate(graph.ops) if isinstance(o, TokenSelector))
    fork = replace(first, name="fork", output="fork.out")
    norm = graph.ops[index + 1]
    assert isinstance(norm, LayerNorm)
    ops = (*graph.ops[: index + 1], fork, replace(norm, input="fork.out"), *graph.ops[index + 2 :])
    with pytest.raises(
        ModelError,
        match="^selecting: token selector 'fork' does not read tokens that 'selector2' before it",
    ):
        check_rows(replace(graph, ops=ops))
