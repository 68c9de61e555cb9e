# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from hwgen.ir.graph import Graph, TokenSelector
from hwgen.ir.selector import kept_rows, selector_scores
from hwgen.prune.selector import MultiHeadSelector, keep_score


def selector(graph: Graph, stage: int = 0, **changes: object) -> TokenSelector:
    found = [op for op in graph.ops if isinstance(op, TokenSelector)][stage]
    return replace(found, **changes)


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((6, 18, 32)).astype(np.float32)


@pytest.mark.parametrize("package", ["merged", "kept"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("limit", [None, 3])
def test_decisions_are_those_of_the_float_reference(
    selecting: Callable[..., Graph],
    rows: np.ndarray,
    package: str,
    activation: str,
    limit: int | None,
) -> None:
    op = selector(selecting(2, 3), 1, package=package, activation=activation, limit=limit)
    module = MultiHeadSelector(op).eval()
    found = module(torch.tensor(rows))
    scores = selector_scores(op, rows)
    np.testing.assert_allclose(found.logits.detach(), scores, atol=1e-5)
    expected = np.stack([kept_rows(op, image) for image in scores])
    assert (found.mask.numpy() == expected).all()
    assert len(set(expected.sum(1))) > 1 or limit is not None


def test_absent_rows_do_not_count(selecting: Callable[..., Graph], rows: np.ndarray) -> None:
    """Rows that are masked off change nothing for the others."""
    module = MultiHeadSelector(selector(selecting(2))).eval()
    mask = torch.ones(6, 18)
    mask[:, 5:9] = 0
    x = torch.tensor(rows)
    there = mask[0].bool()
    whole, short = module(x, mask), module(x[:, there])
    torch.testing.assert_close(whole.score[:, there], short.score)
    assert (whole.mask[:, there] == short.mask).all()
    assert (whole.mask[:, 5:9] == 0).all()


def test_gradients_reach_every_parameter(selecting: Callable[..., Graph], rows: np.ndarray) -> None:
    module = MultiHeadSelector(selector(selecting(2))).train()
    torch.manual_seed(0)
    found = module(torch.tensor(rows))
    (found.mask * torch.randn_like(found.mask)).sum().backward()
    without = [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_noise_changes_decisions_and_none_makes_them_those_of_evaluation(
    selecting: Callable[..., Graph], rows: np.ndarray
) -> None:
    module = MultiHeadSelector(selector(selecting(2)))
    x = torch.tensor(rows)
    expected = module.eval()(x).mask
    module.train()
    module.noise = 0.0
    torch.testing.assert_close(module(x).mask, expected)
    module.noise = 1.0
    torch.manual_seed(0)
    first = module(x).mask.detach().round()
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert (first != expected).any()


def test_importance_has_a_least_value() -> None:
    # Head 0 keeps and head 1 drops; their importances are far below 1/512.
    logits = torch.tensor([[[4.0, -4.0, -30.0, -40.0]]])
    assert float(keep_score(logits)) == pytest.approx(0.5)


def test_the_weights_go_back_into_a_graph(selecting: Callable[..., Graph]) -> None:
    op = selector(selecting(2))
    module = MultiHeadSelector(op)
    names = {name for name, value in vars(op).items() if isinstance(value, np.ndarray)}
    assert {name for name, _ in module.named_parameters()} == names
