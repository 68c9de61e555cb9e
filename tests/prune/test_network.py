# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest
import torch

from hwgen.data_files import Data
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Graph
from hwgen.ir.selections import selections
from hwgen.prune.network import GraphNetwork, attention


def images(data: Data) -> torch.Tensor:
    return torch.tensor(data.images)


def test_a_dense_network_is_the_float_reference(tiny: Graph, data: Data) -> None:
    found = GraphNetwork(tiny)(images(data)).logits
    np.testing.assert_allclose(found.detach(), logits(tiny, data.images), atol=2e-5)


@pytest.mark.parametrize("package", ["merged", "kept"])
def test_a_pruned_network_is_the_float_reference(
    selecting: Callable[..., Graph], data: Data, package: str
) -> None:
    """Masks in a batch do what dropping rows image by image does."""
    graph = selecting(2, 3, 4, package=package)
    network = GraphNetwork(graph).eval()
    outcome = network(images(data))
    np.testing.assert_allclose(outcome.logits.detach(), logits(graph, data.images), atol=2e-5)
    expected = selections(graph, data.images)
    counts = torch.stack(outcome.shares, 1) * network.tokens
    for image, stages in enumerate(expected):
        kept = [int(stage.patches.sum()) for stage in stages]
        assert counts[image].round().int().tolist() == kept
        for rows, stage in zip(outcome.rows, stages, strict=True):
            there = rows.origin[image][(rows.mask[image] > 0) & (rows.origin[image] > 0)] - 1
            assert there.tolist() == np.flatnonzero(stage.patches).tolist()
    assert len(set(counts[:, 0].tolist())) > 1


def test_the_mask_only_shrinks(selecting: Callable[..., Graph], data: Data) -> None:
    network = GraphNetwork(selecting(2, 3, 4)).train()
    torch.manual_seed(0)
    outcome = network(images(data))
    gone = 0
    for earlier, later in zip(outcome.rows, outcome.rows[1:], strict=False):
        for image in range(len(data)):
            before = earlier.origin[image][earlier.mask[image] > 0.5].tolist()
            after = later.origin[image][later.mask[image] > 0.5].tolist()
            assert set(after) <= set(before)
            gone += len(before) - len(after)
    assert gone > 0


def test_masked_attention_is_attention_over_what_stays() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 7, 8)
    mask = torch.tensor([[1.0, 0, 1, 1, 0, 0, 1], [1, 1, 1, 1, 1, 1, 1]])
    found = attention(q, k, v, 2, 0.5, mask)
    there = mask[0].bool()
    expected = attention(q[:1, there], k[:1, there], v[:1, there], 2, 0.5)
    torch.testing.assert_close(found[:1, there], expected)
    torch.testing.assert_close(found[1:], attention(q[1:], k[1:], v[1:], 2, 0.5))
    # One query, the class token's.
    torch.testing.assert_close(attention(q[:, :1], k, v, 2, 0.5, mask, 0), found[:, :1])


def test_resuming_from_the_stem_is_the_whole_network(
    selecting: Callable[..., Graph], data: Data
) -> None:
    network = GraphNetwork(selecting(3)).eval()
    stem = network.stem(images(data))
    found = network.resume(network.selectors[0].op.input, stem).logits
    torch.testing.assert_close(found, network(images(data)).logits)


def test_gradients_reach_the_selectors_and_what_follows(
    selecting: Callable[..., Graph], data: Data
) -> None:
    network = GraphNetwork(selecting(2, 4)).train()
    network.freeze_stem()
    torch.manual_seed(0)
    network(images(data)).logits.square().sum().backward()
    for op, module in zip(network.graph.ops, network.operations, strict=True):
        grown = [p.grad is not None for p in module.parameters()]
        if op.name.startswith(("patch", "tokens", "block0")):
            assert not any(grown), op.name
        else:
            assert all(grown), op.name
    for module in network.selectors:
        assert all(bool(p.grad.any()) for p in module.parameters())


def test_a_network_becomes_its_graph_again(selecting: Callable[..., Graph]) -> None:
    graph = selecting(2)
    again = GraphNetwork(graph).to_graph()
    for before, after in zip(graph.ops, again.ops, strict=True):
        for name, value in vars(before).items():
            assert np.array_equal(value, getattr(after, name)), (before.name, name)
