# SPDX-License-Identifier: Apache-2.0
"""A small network with every operation that the passes treat."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir.evaluate import evaluate
from hwgen.ir.graph import Add, Graph, LayerNorm, Linear, Op, Scale, TakeToken
from hwgen.presets import VitShape, vit

SHAPE = VitShape(image=8, channels=3, patch=4, width=12, heads=3, blocks=2, classes=5)


def with_layer_scale(graph: Graph) -> Graph:
    """A Scale between each branch and its residual Add."""
    ops: list[Op] = []
    rng = np.random.default_rng(4)
    for op in graph.ops:
        if isinstance(op, Add):
            factor = rng.normal(size=12).astype(np.float32)
            ops.append(Scale(f"{op.name}.scale", op.right, f"{op.right}.scaled", factor))
            op = replace(op, right=f"{op.right}.scaled")
        ops.append(op)
    return replace(graph, ops=tuple(ops))


@pytest.fixture
def network() -> Graph:
    """Two blocks with LayerScale; the class token is taken after the last LayerNorm."""
    return with_layer_scale(vit("network", SHAPE, seed=6))


@pytest.fixture
def two_heads(network: Graph) -> Graph:
    """The mean of two classifiers, on tokens 0 and 1, as in a distilled DeiT."""
    *body, take, head = network.ops
    assert isinstance(take, TakeToken) and isinstance(head, Linear)
    second = (
        replace(take, name="take1", output="second", index=1),
        replace(head, name="head1", input="second", output="logits1", weight=2 * head.weight),
        Add("both", head.output, "logits1", "sum"),
        Scale("half", "sum", "mean", np.full(5, 0.5, np.float32)),
    )
    return replace(network, ops=(*body, take, head, *second), output="mean")


@pytest.fixture
def same() -> Callable[[Graph, Graph], bool]:
    """Whether two graphs give the same output up to rounding."""

    def compare(a: Graph, b: Graph) -> bool:
        images = np.random.default_rng(8).integers(0, 256, (3, 8, 8, 3), np.uint8)
        expected, found = evaluate(a, images), evaluate(b, images)
        return bool(np.abs(expected - found).max() < 1e-5 * np.abs(expected).max())

    return compare


@pytest.fixture
def norms() -> Callable[[Graph], list[LayerNorm]]:
    """The LayerNorms of a graph."""
    return lambda graph: [op for op in graph.ops if isinstance(op, LayerNorm)]
