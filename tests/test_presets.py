# SPDX-License-Identifier: Apache-2.0
"""The presets have the published sizes and well-behaved activations."""

import numpy as np
import pytest

from hwgen.errors import ModelError
from hwgen.ir.evaluate import evaluate
from hwgen.ir.graph import Attention, Linear, PatchEmbedding, Tokens
from hwgen.passes import canonicalise
from hwgen.presets import SHAPES, preset


@pytest.mark.parametrize(
    ("name", "millions"),
    [("deit-tiny", 5.7), ("deit-small", 22.1), ("deit-base", 86.6), ("fashion-vit", 0.82)],
)
def test_parameter_count(name: str, millions: float) -> None:
    arrays = [v for op in preset(name).ops for v in vars(op).values() if isinstance(v, np.ndarray)]
    assert sum(array.size for array in arrays) / 1e6 == pytest.approx(millions, rel=0.01)
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ["deit-tiny", "fashion-vit"])
def test_sizes(name: str) -> None:
    graph, shape = preset(name), SHAPES[name]
    by_kind = {
        kind: [op for op in graph.ops if isinstance(op, kind)]
        for kind in (PatchEmbedding, Tokens, Attention, Linear)
    }
    assert by_kind[Tokens][0].position.shape == (197, shape.width)
    assert by_kind[PatchEmbedding][0].patch == shape.patch
    assert len(by_kind[Attention]) == shape.blocks
    assert {op.heads for op in by_kind[Attention]} == {shape.heads}
    assert by_kind[Linear][-1].weight.shape == (shape.classes, shape.width)


def test_activations_neither_vanish_nor_grow() -> None:
    graph = preset("deit-tiny")
    images = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    spread: dict[str, float] = {}
    evaluate(graph, images, lambda name, value: spread.update({name: float(value.std())}))
    assert all(0.02 < deviation < 2 for deviation in spread.values())


def test_the_same_name_gives_the_same_weights() -> None:
    first, second = preset("fashion-vit"), preset("fashion-vit")
    assert (first.ops[0].weight == second.ops[0].weight).all()


def test_presets_are_canonical_after_the_passes() -> None:
    canonicalise(preset("fashion-vit"))


def test_an_unknown_name() -> None:
    with pytest.raises(ModelError, match="presets are deit-tiny, .*Did you mean 'deit-tiny'?"):
        preset("deit-tny")
    with pytest.raises(ModelError, match="There is no preset 'resnet50'"):
        preset("resnet50")
