# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np

from hwgen.compile.rows import single_rows
from hwgen.ir.count import macs, parameters
from hwgen.ir.graph import Graph, TokenSelector
from hwgen.ir.selections import selections
from hwgen.passes import canonicalise
from hwgen.presets import preset


def test_deit_tiny_has_its_published_size() -> None:
    graph = preset("deit-tiny")
    assert parameters(graph) == 5_717_416
    assert macs(graph) == 1_253_683_200


def test_passes_do_not_change_the_multiplications() -> None:
    graph = preset("fashion-vit")
    assert macs(canonicalise(graph)) == macs(graph)


def test_rows_that_are_left_out_do_not_count() -> None:
    graph = canonicalise(preset("fashion-vit"))
    width, hidden, tokens = 128, 256, 197
    row = width * width * 2 + 2 * width * hidden + 2 * tokens * width
    assert macs(graph) - macs(graph, single_rows(graph)) == (tokens - 1) * row


def block_macs(rows: int, width: int = 12, hidden: int = 48) -> int:
    return rows * (4 * width * width + 2 * width * hidden) + 2 * rows * rows * width


# Heads of four columns, 16 features, hidden layers of 16 and 8, three units for the importances.
SELECTOR = 3 * (16 * 4 + 16 * 32 + 8 * 16 + 2 * 8) + 3 * 3 + 3 * 3


def test_tokens_that_are_dropped_do_not_count(
    selecting: Callable[..., Graph], images: np.ndarray
) -> None:
    graph = selecting()
    stem_and_head = 16 * 48 * 12 + 12 * 5
    for found in selections(graph, images):
        first, second = (selection.written for selection in found)
        work = (block_macs(rows) for rows in (17, first, second))
        expected = stem_and_head + sum(work) + (17 + first) * SELECTOR
        assert macs(graph, rows=(first, second)) == expected


def test_without_counts_the_most_that_can_stay_counts(selecting: Callable[..., Graph]) -> None:
    graph = selecting()
    assert macs(graph) == macs(graph, rows=(18, 18))
    limited = selecting(limit=5)
    assert macs(limited) == macs(limited, rows=(7, 7)) < macs(graph)
    canonical = canonicalise(limited)
    assert macs(canonical) == macs(canonical, rows=(7, 7)) > macs(limited)


def test_parameters_of_selectors(selecting: Callable[..., Graph]) -> None:
    graph = selecting()
    plain = sum(
        parameters(Graph("", graph.input, (op,), ""))
        for op in graph.ops
        if not isinstance(op, TokenSelector)
    )
    biases = 3 * (16 + 16 + 8 + 2) + 3 + 3
    assert parameters(graph) - plain == 2 * (SELECTOR + biases + 2 * 12)
