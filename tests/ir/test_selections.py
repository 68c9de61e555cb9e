# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np

from hwgen.ir.evaluate import evaluate
from hwgen.ir.graph import Graph
from hwgen.ir.selections import selections
from hwgen.passes import canonicalise


def test_patches_are_followed_through_all_selectors(
    selecting: Callable[..., Graph], images: np.ndarray
) -> None:
    graph = selecting()
    embedded, rows = [], []
    evaluate(
        graph,
        images,
        lambda name, value: {"block0.out": embedded, "selector2.out": rows}.get(name, []).append(
            value[0]
        ),
    )
    for number, (first, second) in enumerate(selections(graph, images)):
        assert (first.selector, second.selector) == ("selector2", "selector3")
        assert first.kept.shape == (17,) and second.kept.shape == (first.written,)
        assert (first.kept[1:] == first.patches).all()
        assert (embedded[number][1:][first.patches] == rows[number][1:-1]).all()
        # The second one's tokens are the first one's patches, in their order.
        among = np.flatnonzero(first.patches)
        assert (np.flatnonzero(second.patches) == among[second.kept[1:-1]]).all()
        assert first.written == len(rows[number])
        assert not second.kept[-1], "the package token of the first one is merged"


def test_the_passes_keep_names_and_choices(
    selecting: Callable[..., Graph], images: np.ndarray
) -> None:
    graph = selecting(package="kept", activation="relu", threshold=0.45)
    expected, found = selections(graph, images), selections(canonicalise(graph), images)
    for before, after in zip(expected, found, strict=True):
        for a, b in zip(before, after, strict=True):
            assert a.selector == b.selector
            assert (a.kept == b.kept).all() and (a.patches == b.patches).all()


def test_a_graph_without_selectors_has_no_selections(images: np.ndarray, selecting) -> None:
    graph = selecting()
    plain = canonicalise(graph)
    end = next(i for i, op in enumerate(plain.ops) if op.name == "selector2.local")
    cut = type(graph)("cut", graph.input, plain.ops[:end], plain.ops[end].input)
    assert selections(cut, images[:2]) == [(), ()]
