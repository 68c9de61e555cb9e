# SPDX-License-Identifier: Apache-2.0
"""The float evaluator agrees with formulas written out in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import DataError
from hwgen.ir.evaluate import evaluate, logits, patches
from hwgen.ir.functions import erf, gelu, normalise, softmax
from hwgen.ir.graph import (
    Add,
    Attention,
    FusedLinear,
    Gelu,
    Graph,
    ImageInput,
    LayerNorm,
    Linear,
    PatchEmbedding,
    Scale,
    TakeToken,
    TokenMean,
    Tokens,
)

RNG = np.random.default_rng(7)
IMAGE = ImageInput("images", 4, 6, 2, (0.4, 0.5), (0.2, 0.3))
ROWS, COLUMNS = 7, 6


def random(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


EMBED = PatchEmbedding("patch", "images", "patches", random(COLUMNS, 8), random(COLUMNS), 2)
TOKENS = Tokens("tokens", "patches", "x", random(1, COLUMNS), random(ROWS, COLUMNS))
LINEAR = Linear("linear", "x", "y", random(COLUMNS, COLUMNS), random(COLUMNS))


def graph(*ops: object, output: str = "y") -> Graph:
    return Graph("test", IMAGE, (EMBED, TOKENS, *ops), output)


def images(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 4, 6, 2), np.uint8)


def tokens() -> np.ndarray:
    return evaluate(graph(output="x"), images()).astype(np.float64)


def test_erf() -> None:
    x = np.linspace(-6, 6, 100_001, dtype=np.float32)
    exact = np.array([math.erf(number) for number in x])
    assert np.abs(erf(x) - exact).max() < 5e-7
    assert (erf(np.array([-np.inf, -5, 5, np.inf], np.float32)) == [-1, -1, 1, 1]).all()


def test_gelu() -> None:
    x = np.linspace(-8, 8, 100_001, dtype=np.float32)
    exact = [number / 2 * (1 + math.erf(number / math.sqrt(2))) for number in x.tolist()]
    assert np.abs(gelu(x) - exact).max() < 2e-6
    assert gelu(np.array([-50, 50], np.float32)).tolist() == [0, 50]


def test_softmax_of_large_numbers() -> None:
    found = softmax(np.array([[1000, 1000, 0]], np.float32))
    np.testing.assert_allclose(found, [[0.5, 0.5, 0]])


def test_patches_run_over_row_column_channel() -> None:
    pixels = np.arange(4 * 6 * 2).reshape(1, 4, 6, 2)
    found = patches(pixels, 2)
    assert found.shape == (1, 6, 8)
    assert (found[0, 4] == pixels[0, 2:4, 2:4].ravel()).all()


def test_patch_embedding_and_tokens() -> None:
    pixels = (images() / 255 - np.array(IMAGE.mean)) / np.array(IMAGE.std)
    embedded = patches(pixels, 2) @ EMBED.weight.T.astype(float) + EMBED.bias
    expected = np.concatenate([np.broadcast_to(TOKENS.class_token, (3, 1, 6)), embedded], axis=1)
    np.testing.assert_allclose(tokens(), expected + TOKENS.position, rtol=1e-4, atol=1e-5)


def test_each_simple_operation() -> None:
    x = tokens()
    gamma, beta, factor = random(COLUMNS), random(COLUMNS), random(COLUMNS)
    centred = x - x.mean(-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 0.1)
    cases = (
        (LINEAR, x @ LINEAR.weight.T.astype(float) + LINEAR.bias),
        (LayerNorm("norm", "x", "y", gamma, beta, 0.1), normal * gamma + beta),
        (Gelu("gelu", "x", "y"), gelu(x.astype(np.float32))),
        (Add("add", "x", "x", "y"), 2 * x),
        (Scale("scale", "x", "y", factor), x * factor),
        (TakeToken("take", "x", "y", 2), x[:, 2:3]),
        (TokenMean("mean", "x", "y"), x.mean(1, keepdims=True)),
    )
    for op, expected in cases:
        found = evaluate(graph(op), images())
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=op.name)


def test_attention() -> None:
    x = tokens()
    expected = np.empty_like(x)
    for head in range(3):
        part = x[..., 2 * head : 2 * head + 2]
        scores = np.exp(0.7 * part @ part.swapaxes(1, 2))
        expected[..., 2 * head : 2 * head + 2] = scores / scores.sum(-1, keepdims=True) @ part
    op = Attention("attention", "x", "x", "x", "y", heads=3, scale=0.7)
    np.testing.assert_allclose(evaluate(graph(op), images()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epsilon", [None, 0.1])
@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("residual", [None, "x"])
def test_fused_linear(epsilon: float | None, active: bool, residual: str | None) -> None:
    weight, bias = LINEAR.weight, LINEAR.bias
    op = FusedLinear("fused", "x", "y", weight, bias, epsilon, active, residual)
    x = tokens().astype(np.float32)
    expected = (x if epsilon is None else normalise(x, epsilon)) @ weight.T + bias
    if active:
        expected = gelu(expected)
    if residual:
        expected = expected + x
    np.testing.assert_allclose(evaluate(graph(op), images()), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("residual", [None, "x"])
def test_fused_linear_with_a_second_source(one_row: bool, residual: str | None) -> None:
    weight, bias = random(COLUMNS, 2 * COLUMNS), random(COLUMNS)
    op = FusedLinear("fused", "x", "y", weight, bias, None, False, residual, second="z", relu=True)
    x = tokens()
    z = x.mean(1, keepdims=True) if one_row else x * 3
    factor = np.full(COLUMNS, 3, np.float32)
    other = TokenMean("mean", "x", "z") if one_row else Scale("scale", "x", "z", factor)
    expected = x @ weight[:, :COLUMNS].T + z @ weight[:, COLUMNS:].T + bias
    expected = np.maximum(expected, 0) + (x if residual else 0)
    found = evaluate(graph(other, op), images())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_observer_sees_every_value_once_and_in_order() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    chain = (LINEAR, replace(LINEAR, name="linear2", input="y", output="z"))
    result = evaluate(graph(*chain, output="z"), images(), lambda n, a: seen.append((n, a.shape)))
    assert [name for name, _ in seen] == ["patches", "x", "y", "z"]
    assert seen[-1][1] == result.shape == (3, ROWS, COLUMNS)


def test_logits_are_the_only_row() -> None:
    ops = (TakeToken("take", "x", "row", 0), replace(LINEAR, input="row"))
    assert logits(graph(*ops), images()).shape == (3, COLUMNS)


def test_wrong_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"float32 of shape \(3, 4, 6, 2\); this model takes uint8"):
        evaluate(graph(LINEAR), images().astype(np.float32))
    with pytest.raises(DataError, match=r"\(images, 4, 6, 2\), that is height, width, channels"):
        evaluate(graph(LINEAR), images()[0])
    with pytest.raises(DataError, match="There are no images to evaluate"):
        evaluate(graph(LINEAR), images(0))
