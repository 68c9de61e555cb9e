# SPDX-License-Identifier: Apache-2.0
"""Rows that a selector dropped: nothing reads them, and their gates have a gradient."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from hwgen.golden.attention import attention as golden_attention
from hwgen.golden.select import token_select as golden_select
from hwgen.numerics.fixed_point import Ratio
from hwgen.numerics.gelu import INPUT_FRACTION, OUTPUT_FRACTION, RELU, gelu, gelu_constants
from hwgen.numerics.softmax import FRACTION
from hwgen.program.instructions import Attention, TokenSelect
from hwgen.prune.integer_gradients import gelu_polynomial, product, rounded, straight_through
from hwgen.prune.integer_layers import Value, attention, token_mean, token_select

ROWS, HEADS, COLUMNS = 7, 2, 8
THERE = np.array([True, True, False, True, False, False, True])
OP = Attention(
    rows=0, rows_register=0, keys=0, keys_register=0, query_address=0, query_stride=0,
    key_address=0, key_stride=0, value_address=0, value_stride=0, destination_address=0,
    destination_stride=0, heads=HEADS, head_slices=0, score_multiplier=40000, score_shift=22,
    exponent_multiplier=700, output_multiplier=50000, output_shift=15,
)  # fmt: skip
DELTA = 0.5


def value(seed: int, limit: int, scale: float, gate: Tensor | None = None) -> Value:
    integers = np.random.default_rng(seed).integers(-limit, limit + 1, (1, ROWS, COLUMNS))
    tensor = torch.from_numpy(integers).float()
    return Value(tensor, (tensor * scale).requires_grad_(), scale, gate)


def gate() -> Tensor:
    return torch.from_numpy(THERE).float()[None].requires_grad_()


def test_attention_is_golden_on_the_keys_that_are_there() -> None:
    query, key, mixed = (value(seed, 127, 0.02, gate()) for seed in (1, 2, 3))
    found = attention(OP, query, key, mixed, 0.5, DELTA, 0.02)
    arrays = [x.integers[0].long().numpy() for x in (query, key, mixed)]
    expected = golden_attention(OP, arrays[0], arrays[1][THERE], arrays[2][THERE])
    assert (found.integers[0].numpy() == expected).all()
    assert torch.equal(found.real, found.integers * found.scale)


def test_attention_has_the_gradient_of_a_masked_softmax() -> None:
    # One step of a score is worth 0.05; scores and results use much of 8 bits and do not saturate.
    scale, step = 0.02, 0.05
    query, key, mixed = (value(seed, 60, scale, gate()) for seed in (1, 2, 3))
    factor = step * Ratio(OP.score_multiplier, OP.score_shift).value / scale**2
    exponent = round(step * math.log2(math.e) * (1 << FRACTION))
    op = replace(OP, exponent_multiplier=exponent, output_multiplier=1 << 15, output_shift=15)
    found = attention(op, query, key, mixed, factor, DELTA, DELTA * scale)
    weights = torch.linspace(-1, 1, ROWS * COLUMNS).view(1, ROWS, COLUMNS)
    weights = weights * query.weights.detach()[..., None]
    (found.real * weights).sum().backward()
    real = [x.real.detach().clone().requires_grad_() for x in (query, key, mixed)]
    mask = gate()
    q, k, v = (x.unflatten(2, (HEADS, -1)).transpose(1, 2) for x in real)
    exponentials = torch.exp(factor * q @ k.mT) * mask[:, None, None]
    result = DELTA * exponentials / exponentials.sum(-1, keepdim=True) @ v
    (result.transpose(1, 2).flatten(2) * weights).sum().backward()
    for one, other in zip((query, key, mixed), real, strict=True):
        assert (
            torch.nn.functional.cosine_similarity(
                one.real.grad.flatten(), other.grad.flatten(), dim=0
            )
            > 0.97
        )
    assert torch.nn.functional.cosine_similarity(key.gate.grad, mask.grad) > 0.97
    assert key.gate.grad[0][~THERE].all()


def test_a_package_is_the_mean_of_what_was_dropped_now() -> None:
    before, after = gate(), gate()
    dropped_now = [1, 3]
    with torch.no_grad():
        after[:, dropped_now] = 0
    x = value(4, 30000, 0.001, before)
    rows = torch.tensor([[0, 1, 2, 4, 6]])
    found = token_select(x, after, rows)
    op = TokenSelect(
        rows=0, rows_register=0, source_address=0, source_stride=0, destination_address=0,
        destination_stride=0, slices=1, score_address=0, heads=1, threshold=0, limit=0, prefix=0,
        count_register=1, package=1,
    )  # fmt: skip
    kept = after.detach()[0].numpy() > 0.5
    expected = golden_select(op, x.integers[0].long().numpy()[THERE], kept[THERE])
    assert (found.integers[0][found.there[0]].numpy() == expected).all()
    found.real[0, -1].sum().backward()
    assert found.there[0].tolist() == [True, False, False, False, True, True]
    # Keeping a dropped row moves the mean of two away from it.
    mean = x.real.detach()[0, dropped_now].mean(0)
    moved = (mean - x.real.detach()[0]).sum(1) / 2
    assert torch.allclose(after.grad[0, dropped_now], moved[dropped_now], atol=1e-3)


def test_a_mean_of_rows_has_their_gradient() -> None:
    x = value(5, 127, 0.1, gate())
    found = token_mean(x)
    found.real.sum().backward()
    assert torch.allclose(x.real.grad[0][THERE], torch.full((4, COLUMNS), 0.25))
    assert not x.real.grad[0][~THERE].any()


@pytest.mark.parametrize("constants", [gelu_constants(), gelu_constants(0.5), RELU])
def test_the_polynomial_is_that_of_the_integers(constants: object) -> None:
    every = np.arange(-32767, 32768)
    real = gelu_polynomial(torch.from_numpy(every).double() * 2.0**-INPUT_FRACTION, constants)
    assert np.abs(real.numpy() - gelu(every, constants) * 2.0**-OUTPUT_FRACTION).max() < 2e-3


def test_slopes_of_the_regularised_gelu() -> None:
    x = torch.tensor([-5.0, 5.0], requires_grad=True)
    gelu_polynomial(x, gelu_constants(0.5)).sum().backward()
    assert torch.allclose(x.grad, torch.tensor([0.25, 0.75]), atol=1e-4)


def test_straight_through_and_clipping() -> None:
    x = torch.tensor([-3.0, 0.2, 3.0], requires_grad=True)
    integers = torch.tensor([-2.0, 0.0, 2.0])
    found = rounded(x, integers, 0.5, limit=2)
    assert found.tolist() == [-1.0, 0.0, 1.0]
    found.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]
    y = torch.tensor([0.3], requires_grad=True)
    straight_through(y * 2, torch.tensor([7.0])).backward()
    assert y.grad.tolist() == [2.0]


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3)])
def test_gradient_of_a_product_that_is_not_computed(shape: tuple[int, ...]) -> None:
    left = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    right = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: product(a, b, (a @ b).detach()), (left, right))
