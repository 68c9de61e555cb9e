# SPDX-License-Identifier: Apache-2.0
"""A transformer and data so small that they train in seconds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from hwgen.data_files import Data
from hwgen.ir.graph import Graph, TokenSelector
from hwgen.presets import VitShape, vit
from hwgen.prune.insert import insert_selectors
from hwgen.prune.latency import LatencyTable

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Graph:
    """Random weights: 16 tokens of width 32, 2 heads, 4 blocks, 4 classes."""
    return vit("tiny", VitShape(8, 1, 2, 32, 2, 4, 4, mlp_ratio=2), seed=5)


@pytest.fixture(scope="session")
def data() -> Data:
    """64 images whose class is the quarter that is bright."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, 64)
    images = random.integers(0, 60, (64, 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(label, 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 150
    return Data(images.astype(np.uint8), labels)


@pytest.fixture
def selecting(tiny: Graph) -> Callable[..., Graph]:
    """``tiny`` with selectors of random weights, of which each keeps some tokens and drops some."""

    def make(*blocks: int, **options: object) -> Graph:
        graph = insert_selectors(tiny, blocks, **options)
        ops = tuple(
            replace(op, score_bias=np.zeros_like(op.score_bias), score_weight=4 * op.score_weight)
            if isinstance(op, TokenSelector)
            else op
            for op in graph.ops
        )
        return replace(graph, ops=ops)

    return make


@pytest.fixture
def table() -> LatencyTable:
    """100 cycles a block and 10 a selector with all tokens, in proportion to the tokens; at 1 MHz,
    1000 cycles are a millisecond."""
    ratios = (1.0, 0.75, 0.5, 0.25)
    return LatencyTable(
        model="tiny",
        board="none",
        clock_mhz=1,
        batch=1,
        keep_ratios=ratios,
        outside_cycles=50,
        block_cycles=(tuple(100 * r for r in ratios),) * 4,
        selector_cycles=(tuple(10 * r for r in ratios),) * 4,
    )
