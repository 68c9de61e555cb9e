# SPDX-License-Identifier: Apache-2.0
"""Models as exporters write them become the right Graph."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwgen.errors import ModelError
from hwgen.frontend import float_reference, load
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Attention, Graph, LayerNorm, Linear, Scale, Tokens

SPELLINGS: tuple[dict[str, object], ...] = (
    {},
    {"norm": "pow", "opset": 13},
    {"norm": "square"},
    {"norm": "reciprocal"},
    {"norm": "plain"},
    {"gelu": "half_outside"},
    {"gelu": "half_with_input"},
    {"gelu": "Gelu", "opset": 20},
    {"linear": "Gemm"},
    {"linear": "no bias"},
    {"qkv": "separate"},
    {"qkv": "split"},
    {"qkv": "interleaved"},
    {"scale": "divide"},
    {"scale": "query"},
    {"scale": "both"},
    {"guard": True},
    {"layer_scale": True},
    {"class_tokens": 2},
    {"take": "Slice"},
    {"batch": 1},
    {"batch": 3},
    {"batch": 3, "linear": "Gemm", "qkv": "separate"},
    {"channels": 1, "patch": 2},
)


def images_for(graph: Graph, count: int = 4) -> np.ndarray:
    shape = (count, graph.input.height, graph.input.width, graph.input.channels)
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(op).__name__ for op in graph.ops)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
def test_every_spelling_computes_what_onnxruntime_does(
    vit_file: Callable[..., Path], spelling: dict[str, object]
) -> None:
    path = vit_file(**spelling)
    graph = load(path)
    images = images_for(graph)
    expected = float_reference(path).logits(images)
    assert np.abs(logits(graph, images) - expected).max() < 1e-5 * np.abs(expected).max()
    scales = 2 * bool(spelling.get("layer_scale"))
    assert kinds(graph) == Counter(
        PatchEmbedding=1,
        Tokens=1,
        LayerNorm=3,
        Linear=7,
        Attention=1,
        Add=2,
        Gelu=1,
        TakeToken=1,
        **({"Scale": scales} if scales else {}),
    )


def test_joined_qkv_is_cut_into_three_linears(vit_file: Callable[..., Path]) -> None:
    graph = load(vit_file())
    (attention,) = (op for op in graph.ops if isinstance(op, Attention))
    made = [graph.producer(name) for name in (attention.query, attention.key, attention.value)]
    assert all(isinstance(op, Linear) and op.weight.shape == (12, 12) for op in made)
    assert [op.name.rsplit(".", 1)[1] for op in made if op] == ["query", "key", "value"]
    assert attention.heads == 3
    assert attention.scale == pytest.approx(0.5)


def test_a_missing_bias_is_zero(vit_file: Callable[..., Path]) -> None:
    graph = load(vit_file(linear="no bias"))
    assert all((op.bias == 0).all() for op in graph.ops if isinstance(op, Linear))


def test_epsilon_is_read_from_a_spelled_out_layer_norm(vit_file: Callable[..., Path]) -> None:
    graph = load(vit_file(norm="pow"))
    epsilons = [op.epsilon for op in graph.ops if isinstance(op, LayerNorm)]
    assert epsilons == pytest.approx([1e-3] * 3)


def test_layer_scale_becomes_scale(vit_file: Callable[..., Path]) -> None:
    graph = load(vit_file(layer_scale=True))
    assert [op.factor.shape for op in graph.ops if isinstance(op, Scale)] == [(12,), (12,)]


def test_without_class_token_there_is_only_the_position(vit_file: Callable[..., Path]) -> None:
    graph = load(vit_file(class_tokens=0))
    (tokens,) = (op for op in graph.ops if isinstance(op, Tokens))
    assert tokens.class_token.shape == (0, 12)
    assert tokens.position.shape == (6, 12)


def test_names_are_unique_and_inputs_are_made_before_use(vit_file: Callable[..., Path]) -> None:
    graph = load(vit_file(layer_scale=True))
    assert max(Counter(op.name for op in graph.ops).values()) == 1
    assert max(Counter(op.output for op in graph.ops).values()) == 1
    logits(graph, images_for(graph))


def test_class_names_come_from_the_metadata(vit_file: Callable[..., Path]) -> None:
    assert load(vit_file(metadata={"hwgen.classes": "a, b,c,d,e"})).classes == tuple("abcde")
    assert load(vit_file(metadata={"hwgen.classes": '["a","b","c","d","e"]'})).classes == tuple(
        "abcde"
    )


def test_class_names_must_be_as_many_as_logits(vit_file: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match=r"hwgen\.classes names 2 classes.*5 logits"):
        load(vit_file(metadata={"hwgen.classes": "cat,dog"}))


def test_a_wrong_import_is_found_by_the_check(
    vit_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwgen.frontend.importer.logits", lambda graph, images: np.zeros((1, 5)))
    path = vit_file()
    with pytest.raises(ModelError, match="differs from onnxruntime by 1 of the largest logit"):
        load(path)
    load(path, check=False)


def test_weights_may_lie_in_an_external_file(
    vit_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    path = tmp_path / "vit.onnx"
    onnx.save(vit_model(), path, save_as_external_data=True, size_threshold=256, location="w.data")
    load(path)
