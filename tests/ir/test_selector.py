# SPDX-License-Identifier: Apache-2.0
"""Token selectors do what the docstring of TokenSelector says, row by row in float64."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir.blocks import Block
from hwgen.ir.evaluate import evaluate, logits
from hwgen.ir.functions import gelu, sigmoid
from hwgen.ir.graph import Graph, SelectTokens, TokenSelector
from hwgen.ir.selector import fault, kept_rows, most_rows, select_rows, selector_scores
from hwgen.keep_ratios import random_selector

RNG = np.random.default_rng(5)
ROWS, COLUMNS, HEADS = 9, 12, 3


def selector(**fields: object) -> TokenSelector:
    made = random_selector(Block("x", COLUMNS, HEADS), np.random.default_rng(1), ROWS)
    return replace(made, **{"threshold": 0.5, "limit": None, "packages": 1, **fields})


def activation(op: TokenSelector, x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) if op.activation == "relu" else gelu(x.astype(np.float32))


def fused_score(op: TokenSelector, x: np.ndarray) -> np.ndarray:
    """Eq 3 of every row of ``x`` (rows, columns), head by head."""
    size = x.shape[1] // op.heads
    z = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + op.epsilon)
    z = z * op.gamma + op.beta
    keep = np.empty((op.heads, len(x)))
    pooled = np.empty((op.heads, len(x)))
    for i in range(op.heads):
        part = z[:, i * size : (i + 1) * size]
        pooled[i] = part.mean(1)
        local = activation(op, part @ op.local_weight[i].T + op.local_bias[i])
        whole = local.mean(0)
        for row in range(len(x)):
            both = np.concatenate([local[row], whole])
            hidden = activation(op, op.hidden1_weight[i] @ both + op.hidden1_bias[i])
            hidden = activation(op, op.hidden2_weight[i] @ hidden + op.hidden2_bias[i])
            pair = np.exp(op.score_weight[i] @ hidden + op.score_bias[i])
            keep[i, row] = pair[0] / pair.sum()
    hidden = activation(
        op, op.importance_hidden_weight @ pooled + op.importance_hidden_bias[:, None]
    )
    logit = op.importance_weight @ hidden + op.importance_bias[:, None]
    importance = np.maximum(1 / (1 + np.exp(-logit)), 1 / 512)
    return (importance * keep).sum(0) / importance.sum(0)


@pytest.mark.parametrize("kind", ["gelu", "relu"])
def test_scores_are_those_of_the_equations(kind: str) -> None:
    op = selector(activation=kind)
    x = RNG.normal(size=(ROWS, COLUMNS))
    scores = selector_scores(op, x[None].astype(np.float32))[0]
    assert scores.shape == (ROWS, 2 * HEADS)
    expected = fused_score(op, x)
    importance = np.maximum(sigmoid(scores[:, HEADS:]), 1 / 512)
    found = (importance * sigmoid(scores[:, :HEADS])).sum(1) / importance.sum(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Any threshold between two scores cuts there.
    tokens = np.sort(expected[1:-1])
    for threshold in (tokens[1:] + tokens[:-1]) / 2:
        kept = kept_rows(replace(op, threshold=float(threshold)), scores)
        assert (kept[1:-1] == (expected[1:-1] > threshold)).all()
        assert kept[0] and not kept[-1]


def scores_that_keep(*rows: int, count: int = ROWS) -> np.ndarray:
    scores = np.zeros((count, 2 * HEADS), np.float32)
    scores[:, :HEADS] = -9
    scores[list(rows), :HEADS] = 9
    return scores


@pytest.mark.parametrize(
    ("fields", "rows", "kept"),
    [
        ({}, (2, 5), (0, 2, 5)),
        ({}, (), (0,)),
        ({}, range(ROWS), (0, 1, 2, 3, 4, 5, 6, 7)),
        ({"package": "kept"}, (2, 5), (0, 2, 5, 8)),
        ({"package": "kept", "packages": 3}, (2, 5, 7), (0, 2, 5, 6, 7, 8)),
        ({"packages": 0}, (8,), (0, 8)),
        ({"prefix": 2}, (4,), (0, 1, 4)),
        ({"limit": 2}, (0, 2, 4, 6, 8), (0, 2, 4)),
        ({"limit": 0}, (2, 4), (0,)),
    ],
    ids=str,
)
def test_rows_that_stay(fields: dict[str, object], rows, kept: tuple[int, ...]) -> None:
    op = selector(**fields)
    found = kept_rows(op, scores_that_keep(*rows))
    assert tuple(np.flatnonzero(found)) == kept
    assert found.sum() + 1 <= most_rows(op, ROWS)


def test_the_most_rows() -> None:
    assert most_rows(selector(packages=0), 9) == 10, "all of them and an empty package"
    assert most_rows(selector(), 9) == 9, "the package token stands for the one before"
    assert most_rows(selector(package="kept"), 9) == 10
    assert most_rows(selector(limit=3), 9) == 5
    assert most_rows(selector(limit=30), 9) == 9


def test_heads_without_importance_still_decide() -> None:
    scores = scores_that_keep(2)
    scores[:, HEADS:] = -1000
    with np.errstate(over="raise"):
        assert tuple(np.flatnonzero(kept_rows(selector(), scores))) == (0, 2)


def test_the_package_token_is_the_mean_of_what_was_dropped() -> None:
    x = RNG.normal(size=(4, COLUMNS)).astype(np.float32)
    found = select_rows(x, np.array([True, False, True, False]))
    np.testing.assert_allclose(found, [x[0], x[2], (x[1] + x[3]) / 2], rtol=1e-6)
    assert (select_rows(x, np.ones(4, bool))[-1] == 0).all()


def test_images_have_different_numbers_of_tokens(
    selecting: Callable[..., Graph], images: np.ndarray
) -> None:
    graph = selecting()
    rows: dict[str, list[int]] = {}
    together = evaluate(
        graph, images, lambda name, value: rows.setdefault(name, []).append(value.shape[1])
    )
    assert together.shape == (6, 1, 5)
    assert len(set(rows["selector2.out"])) > 2
    assert all(len(counts) == 6 for counts in rows.values()), "each image is seen by itself"
    alone = np.concatenate([logits(graph, image[None]) for image in images])
    np.testing.assert_array_equal(together[:, 0], alone)


def test_a_selection_given_as_scores_is_the_same(
    selecting: Callable[..., Graph], images: np.ndarray
) -> None:
    """SelectTokens on scores of which all are high: nothing is dropped, one empty row is added."""
    graph = selecting()
    end = next(i for i, op in enumerate(graph.ops) if isinstance(op, TokenSelector))
    x = graph.ops[end].input
    op = SelectTokens("s", x, x, "y", heads=6, threshold=0.0, prefix=1, packages=0,
                      package="merged", limit=None)  # fmt: skip
    plain = replace(graph, ops=graph.ops[:end], output=x)
    selected = evaluate(replace(graph, ops=(*graph.ops[:end], op), output="y"), images)
    np.testing.assert_array_equal(selected[:, :-1], evaluate(plain, images))
    assert (selected[:, -1] == 0).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"package": "lost"}, "its package tokens are 'lost'; they can be 'merged' or 'kept'"),
        ({"activation": "tanh"}, "its activation is 'tanh'; it can be 'gelu' or 'relu'"),
        ({"heads": 5}, "its 5 heads do not divide 12 columns"),
        ({"heads": 0}, "its 0 heads do not divide 12 columns"),
        ({"heads": 2}, "its local_weight has shape (3, 16, 4), not (2, 16, 6)"),
        ({"threshold": 1.5}, "its threshold is 1.5; scores are between 0 and 1"),
        ({"threshold": math.nan}, "its threshold is nan; scores are between 0 and 1"),
        ({"epsilon": -1.0}, "its epsilon is -1; it can be 0 or above"),
        ({"epsilon": math.nan}, "its epsilon is nan; it can be 0 or above"),
        ({"prefix": 9}, "9 class and 1 package tokens do not fit its 9 rows"),
        ({"packages": -1}, "1 class and -1 package tokens do not fit its 9 rows"),
        ({"gamma": np.ones(11)}, "its gamma has shape (11,), not (12,)"),
        ({"hidden1_weight": np.ones((3, 16, 16))}, "(3, 16, 16), not (3, 16, 32)"),
        ({"score_bias": np.ones(3)}, "its score_bias has shape (3,), not (3, 2)"),
        ({"importance_weight": np.ones((3, 4))}, "(3, 4), not (3, 3)"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_selector(fields: dict[str, object], message: str) -> None:
    assert fault(selector(), ROWS, COLUMNS) is None
    found = fault(selector(**fields), ROWS, COLUMNS)
    assert found is not None and found.endswith(message)
