# SPDX-License-Identifier: Apache-2.0
"""A canonical graph selects the same tokens and computes the same as the graph it came from."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import ModelError
from hwgen.ir.blocks import blocks, with_selectors
from hwgen.ir.evaluate import evaluate
from hwgen.ir.graph import FusedLinear, Graph, SelectTokens, TakeToken, TokenMean, TokenSelector
from hwgen.ir.selections import selections
from hwgen.keep_ratios import random_selector
from hwgen.passes import PASSES, canonicalise
from hwgen.passes.expand_selector import expand_selector
from hwgen.presets import VitShape, vit

SHAPE = VitShape(image=16, channels=3, patch=4, width=12, heads=3, blocks=4, classes=5)
IMAGES = np.random.default_rng(3).integers(0, 256, (5, 16, 16, 3), np.uint8)


def selecting(*numbers: int, seed: int = 2, **fields: object) -> Graph:
    """Selectors that keep about half of the tokens; their gamma and beta are no trivial ones."""
    graph = vit("selecting", SHAPE, seed=1)
    rng = np.random.default_rng(seed)
    selectors = {}
    for number in numbers or (2, 4):
        made = random_selector(blocks(graph)[number - 1], rng, limit=16)
        changes: dict[str, object] = {
            "gamma": rng.normal(1, 0.5, 12).astype(np.float32),
            "beta": rng.normal(0, 0.5, 12).astype(np.float32),
            "score_weight": 4 * made.score_weight,
            "score_bias": made.score_bias - np.array([2, 0], np.float32),
        }
        changes |= {"threshold": 0.5, "limit": None}
        selectors[number] = replace(made, **(changes | fields))
    return with_selectors(graph, selectors)


def agree(a: Graph, b: Graph) -> None:
    for before, after in zip(selections(a, IMAGES), selections(b, IMAGES), strict=True):
        for x, y in zip(before, after, strict=True):
            assert x.selector == y.selector and (x.kept == y.kept).all()
    expected, found = evaluate(a, IMAGES), evaluate(b, IMAGES)
    assert np.abs(expected - found).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("package", ["merged", "kept"])
def test_the_meaning_stays(seed: int, activation: str, package: str) -> None:
    graph = selecting(seed=seed, activation=activation, package=package)
    counts = {selection.written for image in selections(graph, IMAGES) for selection in image}
    assert len(counts) > 3, "images differ in their tokens"
    agree(graph, canonicalise(graph))


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("package", ["merged", "kept"])
def test_all_tokens_and_none(threshold: float, package: str) -> None:
    graph = selecting(2, 3, threshold=threshold, package=package)
    first, second = selections(graph, IMAGES)[0]
    assert first.patches.sum() == second.patches.sum() == (0 if threshold else 16)
    agree(graph, canonicalise(graph))


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_a_limit(limit: int) -> None:
    graph = selecting(threshold=0.0, limit=limit)
    assert {s.patches.sum() for image in selections(graph, IMAGES) for s in image} == {limit}
    agree(graph, canonicalise(graph))


@pytest.mark.parametrize("one_pass", PASSES)
def test_every_pass_keeps_the_meaning(one_pass) -> None:
    graph = selecting()
    agree(graph, one_pass(graph))


def test_what_is_made() -> None:
    graph = canonicalise(selecting(3))
    ops = {op.name: op for op in graph.ops}
    local, hidden1, hidden2, scores = (
        ops[f"selector3.{part}"] for part in ("local", "hidden1", "hidden2", "scores")
    )
    select = ops["selector3"]
    assert isinstance(ops["selector3.mean"], TokenMean)
    assert isinstance(select, SelectTokens) and select.scores == scores.output
    for op, shape in (
        (local, (51, 12)),
        (hidden1, (48, 102)),
        (hidden2, (24, 48)),
        (scores, (6, 75)),
    ):
        assert isinstance(op, FusedLinear)
        assert op.weight.shape == shape and op.weight.dtype == op.bias.dtype == np.float32
        assert op.gelu == (op is not scores) and not op.relu
    assert local.epsilon == 1e-6 and hidden1.second == ops["selector3.mean"].output
    assert scores.second == local.output
    assert (hidden1.weight[:, 48:51] == 0).all() and (hidden1.weight[:, 99:] == 0).all()
    assert Counter(type(op).__name__ for op in graph.ops)["FusedLinear"] == 25 + 4


def test_expanding_twice_is_expanding_once() -> None:
    once = canonicalise(selecting())
    assert canonicalise(once).ops == once.ops
    plain = canonicalise(vit("plain", SHAPE, seed=1))
    assert expand_selector(plain).ops == plain.ops


def test_the_class_token_is_taken_behind_the_last_selector() -> None:
    """A head on all tokens behind a selector: the token is taken early, but not before it."""
    graph = selecting(4)
    *body, take, head = graph.ops
    late = (replace(head, input=take.input, output="all"), replace(take, input="all", output="y"))
    graph = replace(graph, ops=(*body, *late), output="y")
    moved = canonicalise(graph)
    agree(graph, moved)
    names = [op.name for op in moved.ops]
    assert names.index("selector4") < names.index("take_token")


def test_a_token_taken_right_behind_a_selector_stays_there() -> None:
    graph = selecting(4)
    end = next(i for i, op in enumerate(graph.ops) if isinstance(op, TokenSelector))
    head = graph.ops[-1]
    ops = (
        *graph.ops[: end + 1],
        TakeToken("take", graph.ops[end].output, "row", 0),
        replace(head, input="row"),
    )
    cut = replace(graph, ops=ops)
    canonical = canonicalise(cut)
    agree(cut, canonical)
    assert [type(op) for op in canonical.ops[-3:]] == [SelectTokens, TakeToken, FusedLinear]


def test_a_row_that_a_selector_moved_is_refused() -> None:
    graph = selecting(4)
    ops = tuple(replace(op, index=1) if isinstance(op, TakeToken) else op for op in graph.ops)
    with pytest.raises(
        ModelError,
        match="^selecting: 'take_token' takes row 1, but the token selectors before it keep only "
        "the first 1 rows in their place.",
    ):
        canonicalise(replace(graph, ops=ops))
    two = selecting(4, prefix=2)
    ops = tuple(replace(op, index=1) if isinstance(op, TakeToken) else op for op in two.ops)
    agree(replace(two, ops=ops), canonicalise(replace(two, ops=ops)))
