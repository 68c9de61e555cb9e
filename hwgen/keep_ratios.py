# SPDX-License-Identifier: Apache-2.0
"""Token selectors with random weights that keep a given share of every image's patches.

The first tokens stay, whatever they show: for speed that counts as well as a trained selector,
and each selector does all the work of one.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from hwgen.errors import ModelError
from hwgen.ir.blocks import Block, blocks, check_block, with_selectors
from hwgen.ir.graph import Graph, Tokens, TokenSelector

FEATURES = 16
"""Local features a head. The hidden layers have as many and half as many; the importance branch
has as many as there are heads.
"""

_EXAMPLE = "deit-tiny@4:0.70,7:0.39,10:0.21"


def parse_keep_ratios(name: str, text: str) -> dict[int, float]:
    """Reads ``4:0.70,7:0.39,10:0.21``: numbers of blocks, each with the share of all patches
    that the selector in front of it keeps.

    Raises ModelError, which begins with ``name``, when the text has another form or the blocks
    do not rise.
    """
    found: list[tuple[int, float]] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*:\s*(-?[0-9]+\.?[0-9]*|-?\.[0-9]+)\s*", part)
        if match is None:
            raise ModelError(
                f"{name}: '{part}' is not BLOCK:RATIO. After '@' stand the blocks that a token "
                "selector comes before, each with the share of the patches that it keeps, as in "
                f"{_EXAMPLE}."
            )
        found.append((int(match[1]), float(match[2])))
    for (first, _), (second, _) in pairwise(found):
        if second <= first:
            raise ModelError(
                f"{name}: block {second} comes after block {first}; name the blocks in rising "
                f"order, each once, as in {_EXAMPLE}."
            )
    return dict(found)


def with_keep_ratios(graph: Graph, ratios: Mapping[int, float], seed: int = 0) -> Graph:
    """``graph`` with a random selector in front of each block in ``ratios``.

    Args:
        ratios: by block, from 1: the share of all patches that is left behind the selector, above
            0 and at most 1. Exactly ``round(share * patches)`` stay.

    Raises:
        ModelError: no selector can stand there, a share is outside (0, 1], or larger than that of
            a block before it.
    """
    (tokens,) = (op for op in graph.ops if isinstance(op, Tokens))
    prefix = len(tokens.class_token)
    patches = len(tokens.position) - prefix
    found = blocks(graph)
    left = 1.0
    for number, ratio in sorted(ratios.items()):
        check_block(graph.name, number, len(found))
        if not 0 < ratio <= 1:
            raise ModelError(
                f"{graph.name}: the keep ratio {ratio:g} before block {number} is outside the "
                "range above 0 and up to 1 (1 keeps every patch)."
            )
        if ratio > left:
            raise ModelError(
                f"{graph.name}: the keep ratio rises from {left:g} to {ratio:g} before block "
                f"{number}. Ratios count all patches of the image, so they can only fall; give "
                f"at most {left:g}."
            )
        left = ratio
    rng = np.random.default_rng(seed)
    selectors = {
        number: replace(
            random_selector(found[number - 1], rng, round(ratio * patches)), prefix=prefix
        )
        for number, ratio in sorted(ratios.items())
    }
    return with_selectors(graph, selectors)


def random_selector(block: Block, rng: np.random.Generator, limit: int) -> TokenSelector:
    """A selector that keeps the first ``limit`` tokens in front of ``block``.

    Its threshold of 0 finds every token informative: keep scores are around
    ``sigmoid(2)``. Layers keep the variance of their input, as those of ``presets.vit``.
    """
    heads, size = block.heads, block.columns // block.heads

    def normal(*shape: int) -> np.ndarray:
        """Weights, or where there are no inputs biases."""
        std = shape[-1] ** -0.5 if len(shape) > 2 else 0.02
        return np.clip(rng.standard_normal(shape, np.float32), -2, 2) * np.float32(std)

    return TokenSelector(
        name="",
        input="",
        output="",
        heads=heads,
        gamma=1 + normal(block.columns),
        beta=normal(block.columns),
        epsilon=1e-6,
        local_weight=normal(heads, FEATURES, size),
        local_bias=normal(heads, FEATURES),
        hidden1_weight=normal(heads, FEATURES, 2 * FEATURES),
        hidden1_bias=normal(heads, FEATURES),
        hidden2_weight=normal(heads, FEATURES // 2, FEATURES),
        hidden2_bias=normal(heads, FEATURES // 2),
        score_weight=normal(heads, 2, FEATURES // 2),
        score_bias=normal(heads, 2) + np.array([2, 0], np.float32),
        importance_hidden_weight=normal(1, heads, heads)[0],
        importance_hidden_bias=normal(heads),
        importance_weight=normal(1, heads, heads)[0],
        importance_bias=normal(heads),
        threshold=0.0,
        limit=limit,
    )
