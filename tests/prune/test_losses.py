# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from hwgen.data_files import Data
from hwgen.ir.graph import Graph
from hwgen.prune.losses import (
    LossWeights,
    distillation_loss,
    losses,
    range_loss,
    ranking_loss,
    ratio_loss,
)
from hwgen.prune.network import GraphNetwork, Outcome
from hwgen.prune.selector import Selection, keep_score


def test_ratio_loss_is_of_the_batch_mean() -> None:
    # Images that differ cost nothing as long as their mean is right.
    shares = [torch.tensor([0.2, 0.8]), torch.tensor([0.1, 0.1])]
    assert float(ratio_loss(shares, [0.5, 0.1])) == pytest.approx(0)
    assert float(ratio_loss(shares, [0.7, 0.4])) == pytest.approx(0.2**2 + 0.3**2)


def test_distillation_is_the_divergence_of_the_teacher() -> None:
    student, teacher = torch.randn(2, 5, 7)
    p, q = teacher.softmax(1), student.softmax(1)
    expected = (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(distillation_loss(student, teacher), expected)
    assert float(distillation_loss(teacher, teacher)) == pytest.approx(0, abs=1e-6)


def test_range_loss_begins_at_the_limit() -> None:
    inside, outside = torch.full((2, 3, 4), -7.0), torch.full((2, 3, 4), 9.0)
    assert float(range_loss([inside])) == 0
    assert float(range_loss([inside, outside])) == pytest.approx(4)


def test_the_total_weights_the_parts() -> None:
    torch.manual_seed(1)
    logits, teacher, labels = torch.randn(4, 3), torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    selection = Selection(torch.zeros(4, 2), torch.zeros(4, 2), torch.full((4, 2, 2), 8.0))
    outcome = Outcome(logits, (selection,), (torch.full((4,), 0.5),))
    found = losses(outcome, labels, teacher, [0.25], LossWeights(3, 0.25, 2))
    expected = found.task + 3 * 0.0625 + 0.25 * found.distillation + 2 * 1
    torch.testing.assert_close(found.total, expected)
    assert float(found.task) == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, labels))
    )


def test_ranking_teaches_the_attention_of_the_class_token(
    tiny: Graph, selecting: Callable[..., Graph], data: Data
) -> None:
    """A selector trained with it alone keeps the given share, more of it where attention is."""
    network, teacher = GraphNetwork(selecting(2, 4)), GraphNetwork(tiny)
    images = torch.tensor(data.images)
    optimiser = torch.optim.Adam([p for m in network.selectors for p in m.parameters()], lr=0.01)
    stream = network.selectors[0].op.input
    stem = network.stem(images).detach()
    with torch.autocast("cpu", torch.bfloat16):
        half = ranking_loss(network.selectors, teacher, stream, stem, [0.5, 0.25])
    full = ranking_loss(network.selectors, teacher, stream, stem, [0.5, 0.25])
    assert float(half.detach()) == pytest.approx(float(full.detach()), rel=0.1)
    found = []
    for _ in range(60):
        loss = ranking_loss(network.selectors, teacher, stream, stem, [0.5, 0.25])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.8 * found[0]
    score = keep_score(network.selectors[0].logits(stem))[:, 1:]
    assert 0.35 < float((score > 0.5).float().mean()) < 0.65
