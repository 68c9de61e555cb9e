# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import ModelError
from hwgen.ir.blocks import Block, blocks, with_selectors, without_selectors
from hwgen.ir.graph import Gelu, Graph, LayerNorm, TokenSelector, inputs_of
from hwgen.keep_ratios import random_selector
from hwgen.presets import VitShape, vit

GRAPH = vit("small", VitShape(16, 3, 4, 12, 3, 4, 5), seed=1)


def selector(**fields: object) -> TokenSelector:
    made = random_selector(blocks(GRAPH)[1], np.random.default_rng(0), 4)
    return replace(made, **fields)


def test_blocks_by_what_enters_them() -> None:
    names = ["embedded", "block0.out", "block1.out", "block2.out"]
    assert blocks(GRAPH) == tuple(Block(name, 12, 3) for name in names)


@pytest.mark.parametrize(("package", "packages"), [("merged", [0, 1, 1]), ("kept", [0, 1, 2])])
def test_selectors_stand_before_their_blocks(package: str, packages: list[int]) -> None:
    one = selector(package=package)
    graph = with_selectors(GRAPH, {4: one, 2: one, 3: one})
    found = [op for op in graph.ops if isinstance(op, TokenSelector)]
    assert [(op.name, op.input, op.output) for op in found] == [
        ("selector2", "block0.out", "selector2.out"),
        ("selector3", "block1.out", "selector3.out"),
        ("selector4", "block2.out", "selector4.out"),
    ]
    assert [op.packages for op in found] == packages
    for op in found:
        assert graph.consumers(op.input) == (op,), "everything else reads what is left"
        assert [type(reader).__name__ for reader in graph.consumers(op.output)] == [
            "LayerNorm",
            "Add",
        ]
    made = {graph.input.name}
    for op in graph.ops:
        assert made.issuperset(inputs_of(op))
        made.add(op.output)


def test_no_selectors_change_nothing() -> None:
    assert with_selectors(GRAPH, {}).ops == GRAPH.ops


@pytest.mark.parametrize("number", [-1, 0, 5, 40])
def test_a_block_that_is_not_there(number: int) -> None:
    message = (
        f"^small: a token selector cannot stand in front of block {number}. The model has 4 "
        "blocks; give blocks from 2 to 4.$"
    )
    with pytest.raises(ModelError, match=message):
        with_selectors(GRAPH, {number: selector()})


def test_the_first_block() -> None:
    with pytest.raises(
        ModelError, match="front of block 1; before block 1 nothing is known of .* from 2 to 4"
    ):
        with_selectors(GRAPH, {1: selector()})


def test_a_selector_of_another_size() -> None:
    other = random_selector(Block("x", 24, 3), np.random.default_rng(0), 4)
    with pytest.raises(
        ModelError,
        match=r"^small: the token selector for block 3 does not fit: its gamma has shape \(24,\)",
    ):
        with_selectors(GRAPH, {3: other})


def test_selectors_are_taken_out_again() -> None:
    graph = with_selectors(GRAPH, {2: selector(), 3: selector()})
    for found in (without_selectors(graph), without_selectors(GRAPH)):
        assert [(type(op), op.name, inputs_of(op), op.output) for op in found.ops] == [
            (type(op), op.name, inputs_of(op), op.output) for op in GRAPH.ops
        ]


def test_a_graph_that_has_selectors() -> None:
    graph = with_selectors(GRAPH, {2: selector()})
    with pytest.raises(ModelError, match="^small has token selectors already"):
        with_selectors(graph, {3: selector()})


def test_a_block_of_another_form() -> None:
    ops = tuple(
        Gelu(op.name, op.input, op.output)
        if isinstance(op, LayerNorm) and op.name == "block2.norm1"
        else op
        for op in GRAPH.ops
    )
    with pytest.raises(ModelError, match="attention 'block2.attention' does not begin with a Lay"):
        blocks(replace(GRAPH, ops=ops))


def test_a_model_of_one_block(selecting: Callable[..., Graph]) -> None:
    graph = vit("one", VitShape(16, 3, 4, 12, 3, 1, 5), seed=1)
    with pytest.raises(ModelError, match="The model has one block alone; there is none that"):
        with_selectors(graph, {2: selector()})
