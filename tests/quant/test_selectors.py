# SPDX-License-Identifier: Apache-2.0
"""Scales of a network that selects tokens."""

from dataclasses import replace

import numpy as np
import pytest

from hwgen.config import Quantisation
from hwgen.ir.evaluate import evaluate
from hwgen.ir.graph import Graph, SelectTokens
from hwgen.keep_ratios import with_keep_ratios
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.quant.calibrate import calibrate
from hwgen.quant.scales import choose_scales
from hwgen.quant.streams import wide_streams

PLAIN = vit("test", VitShape(16, 3, 4, 12, 3, 3, 5), seed=1)
GRAPH = canonicalise(with_keep_ratios(PLAIN, {2: 0.5, 3: 0.25}))
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 16, 16, 3), np.uint8)


def test_what_is_selected_stays_in_the_stream() -> None:
    streams = wide_streams(GRAPH)
    assert streams["selector2.out"] == streams["selector3.out"] == "embedded"
    assert set(streams.values()) == {"embedded", GRAPH.output}


def test_tokens_selected_from_another_value_make_it_a_stream() -> None:
    (first, *_) = (op for op in GRAPH.ops if isinstance(op, SelectTokens))
    end = GRAPH.ops.index(first)
    other = replace(first, input="block0.mlp.active", output="y")
    cut = Graph("cut", GRAPH.input, (*GRAPH.ops[:end], other), "y")
    streams = wide_streams(cut)
    assert streams["y"] == streams["block0.mlp.active"] == "block0.mlp.active"


@pytest.mark.parametrize("power_of_two", [False, True])
@pytest.mark.parametrize("percentile", [100.0, 99.0])
def test_scores_are_q34_and_means_are_on_the_scale_of_their_rows(
    power_of_two: bool, percentile: float
) -> None:
    settings = Quantisation(power_of_two=power_of_two, percentile=percentile)
    values = choose_scales(GRAPH, calibrate(GRAPH, IMAGES), settings).values
    for name in ("selector2.out", "selector3.out"):
        assert values[f"{name}.scores"] == 1 / 16
        assert values[f"{name}.mean"] == values[f"{name}.local"]
        assert values[name] == values["embedded"]


def test_ranges_are_those_of_all_images() -> None:
    """Images run one by one where tokens are selected; every one of them counts."""
    largest: dict[str, float] = {}

    def see(name: str, value: np.ndarray) -> None:
        largest[name] = max(float(np.abs(value).max()), largest.get(name, 0.0))

    evaluate(GRAPH, IMAGES, see)
    done: list[tuple[int, int]] = []
    ranges = calibrate(GRAPH, IMAGES, lambda *progress: done.append(progress))
    assert done == [(8, 11), (11, 11)]
    for name, limit in largest.items():
        assert ranges.limit(name, 100) == limit
        assert ranges.limit(name, 50) < limit


def test_a_percentile_hardly_depends_on_whether_images_run_one_by_one() -> None:
    before = "block1.middle"  # a value with less tokens than in the plain network
    alone = calibrate(GRAPH, IMAGES)
    together = calibrate(canonicalise(PLAIN), IMAGES)
    shared = "block0.attention.query.out"
    assert alone.limit(shared, 99) == pytest.approx(together.limit(shared, 99), rel=1e-6)
    assert alone.limit(before, 99) != together.limit(before, 99)
