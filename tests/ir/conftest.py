# SPDX-License-Identifier: Apache-2.0
"""A small network whose token selectors keep different tokens of different images."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwgen.ir.blocks import blocks, with_selectors
from hwgen.ir.graph import Graph
from hwgen.keep_ratios import random_selector
from hwgen.presets import VitShape, vit


@pytest.fixture
def selecting() -> Callable[..., Graph]:
    """``selecting(**fields)``: 16 patches, selectors before blocks 2 and 3 with these fields."""

    def make(**fields: object) -> Graph:
        graph = vit("selecting", VitShape(16, 3, 4, 12, 3, 3, 5), seed=1)
        rng = np.random.default_rng(2)
        selectors = {}
        for number in (2, 3):
            made = random_selector(blocks(graph)[number - 1], rng, limit=16)
            changes = {"score_bias": 0 * made.score_bias, "score_weight": 4 * made.score_weight}
            changes |= {"threshold": 0.5, "limit": None, **fields}
            selectors[number] = replace(made, **changes)
        return with_selectors(graph, selectors)

    return make


@pytest.fixture
def images() -> np.ndarray:
    """Six images for it."""
    return np.random.default_rng(3).integers(0, 256, (6, 16, 16, 3), np.uint8)
