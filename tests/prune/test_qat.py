# SPDX-License-Identifier: Apache-2.0
"""The forward pass of quantisation-aware training is the Program, bit for bit; it trains."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwgen.compile import compile_model, compile_scaled
from hwgen.compile.lower import fold_pixels
from hwgen.config import Quantisation
from hwgen.errors import DataError, FitError
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.selections import selections as golden_selections
from hwgen.golden.selections import stages
from hwgen.ir.blocks import blocks, with_selectors
from hwgen.ir.graph import (
    FusedLinear,
    Graph,
    LayerNorm,
    Linear,
    PatchEmbedding,
    Scale,
    Tokens,
    TokenSelector,
)
from hwgen.keep_ratios import random_selector
from hwgen.numerics.fixed_point import INT16_MAX
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.prune.integer_weights import Weights, canonical_weights, trainable_form
from hwgen.prune.network import GraphNetwork
from hwgen.prune.qat import IntegerNetwork, calibrated
from hwgen.quant.scales import Scales

SHAPE = VitShape(image=16, channels=3, patch=4, width=48, heads=3, blocks=3, classes=5)
HEATVIT = Quantisation(power_of_two=True, gelu_delta=0.5, softmax_delta=0.5)
ENGINE = EngineConfig(lanes=16, max_rows=64, score_depth=64)

GRAPHS: dict[str, dict[str, object] | None] = {
    "dense": None,
    "selecting": {},
    "packages kept": {"package": "kept"},
    "relu": {"activation": "relu"},
    "limited": {"limit": 6},
}


def network(fields: dict[str, object] | None) -> Graph:
    """Three blocks; with ``fields``, selectors before blocks 2 and 3 that decide image by image."""
    graph = vit("test", SHAPE, seed=1)
    if fields is None:
        return graph
    random = np.random.default_rng(2)
    selectors = {}
    for number in (2, 3):
        made = random_selector(blocks(graph)[number - 1], random, limit=16)
        made = replace(made, score_bias=0 * made.score_bias, score_weight=4 * made.score_weight)
        selectors[number] = replace(made, **{"threshold": 0.5, "limit": None, **fields})
    return with_selectors(graph, selectors)


def pixels(count: int = 8) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 16, 16, 3), np.uint8)


def labels(count: int = 8) -> torch.Tensor:
    return torch.arange(count) % SHAPE.classes


def prepared(graph: Graph, settings: Quantisation) -> IntegerNetwork:
    return IntegerNetwork(graph, calibrated(graph, pixels(), settings), settings, ENGINE)


def run(program: Program, images: np.ndarray) -> np.ndarray:
    """Golden's logits, int (images, classes)."""
    beats = program.input.pack(images, program.engine.lanes)
    output = program.output.unpack(Interpreter(program).run(beats))
    return output.reshape(-1, program.output.columns)[: len(images)]


def integers(found: IntegerNetwork, images: np.ndarray) -> np.ndarray:
    """The logits as integers; they are exact multiples of their scale, in training and without."""
    training, testing = (found.train(on)(torch.from_numpy(images)).logits for on in (True, False))
    assert torch.equal(training, testing)
    whole = torch.round(testing.detach() / found.output_scale)
    assert (whole * found.output_scale == testing).all()
    found.train()
    return whole.numpy()


def train(found: IntegerNetwork, steps: int, lr: float = 0.05) -> list[float]:
    optimiser = torch.optim.SGD(found.parameters(), lr)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(found(torch.from_numpy(pixels())).logits, labels())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("settings", [Quantisation(), HEATVIT], ids=["default", "heatvit"])
@pytest.mark.parametrize("fields", GRAPHS.values(), ids=GRAPHS)
def test_logits_are_golden_before_and_after_training(
    fields: dict[str, object] | None, settings: Quantisation
) -> None:
    graph = network(fields)
    found = prepared(graph, settings)
    # Before: the Program of the untrained model, compiled without anything of this package.
    program = compile_model(canonicalise(graph), pixels(), settings, ENGINE)
    before = run(program, pixels(12))
    assert (integers(found, pixels(12)) == before).all()
    train(found, steps=3)
    # After: the exported weights, with the scales that were kept.
    program = compile_scaled(canonicalise(found.graph()), found.scales, settings, EngineConfig())
    after = run(program, pixels(12))
    assert (integers(found, pixels(12)) == after).all()
    assert (before != after).mean() > 0.5


@pytest.mark.parametrize("settings", [Quantisation(), HEATVIT], ids=["default", "heatvit"])
def test_logits_are_golden_where_everything_saturates(settings: Quantisation) -> None:
    graph = network({})
    scales = calibrated(graph, pixels(), settings)
    fixed = [name for name in scales.values if name == "images" or name.endswith(".scores")]
    small = Scales(
        {name: s if name in fixed else s / 4 for name, s in scales.values.items()},
        {name: s / 4 for name, s in scales.normalised.items()},
        {name: s / 4 for name, s in scales.scores.items()},
    )
    found = IntegerNetwork(graph, small, settings, ENGINE)
    expected = run(found.program(), pixels())
    assert (np.abs(expected) == INT16_MAX).any()
    assert (integers(found, pixels()) == expected).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fields", list(GRAPHS.values())[1:], ids=list(GRAPHS)[1:])
def test_selectors_keep_what_golden_keeps(fields: dict[str, object], training: bool) -> None:
    found = prepared(network(fields), Quantisation()).train(training)
    program = found.program()
    outcome = found(torch.from_numpy(pixels()))
    runs = golden_selections(program, program.input.pack(pixels(), 16))
    counts = set()
    for image, golden in enumerate(runs):
        for stage, rows, share in zip(
            stages(program, golden), outcome.rows, outcome.shares, strict=True
        ):
            there = rows.mask[image] > 0.5
            assert training or int(rows.mask.detach().sum(1).max()) == rows.mask.shape[1]
            origin = rows.origin[image][there].numpy()
            assert set(origin[origin > 0] - 1) == set(np.flatnonzero(stage.patches))
            assert int(there.sum()) == stage.written
            assert float(share[image].detach()) * found.tokens == stage.patches.sum()
            counts.add(int(stage.patches.sum()))
    assert len(counts) > 1


@pytest.mark.parametrize("settings", [Quantisation(), HEATVIT], ids=["default", "heatvit"])
@pytest.mark.parametrize("fields", [None, {}], ids=["dense", "selecting"])
def test_every_weight_gets_a_gradient_and_the_loss_falls(
    fields: dict[str, object] | None, settings: Quantisation
) -> None:
    found = prepared(network(fields), settings)
    F.cross_entropy(found(torch.from_numpy(pixels())).logits, labels()).backward()
    for name, parameter in found.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # Keys' bias adds the same to all scores of a row: no effect but rounding's.
        assert parameter.grad.any() or name.endswith("key.bias"), name
    losses = train(found, steps=10, lr=0.02)
    assert losses[-1] < 0.8 * losses[0]


def test_gradients_are_close_to_those_of_the_real_network() -> None:
    graph = trainable_form(network(None))
    found, real = prepared(graph, Quantisation()), GraphNetwork(graph)
    for each in (found, real):
        F.cross_entropy(each(torch.from_numpy(pixels())).logits, labels()).backward()
    expected = {
        f"{op.name}.{name}": parameter.grad
        for op, module in zip(graph.ops, real.operations, strict=True)
        for name, parameter in module.named_parameters()
    }
    for weights in found.weights:
        for name, parameter in weights.named_parameters():
            if weights.op.name.endswith("key") and name == "bias":
                continue  # Adds the same to all scores of a row: no effect but rounding's.
            one, other = parameter.grad.flatten(), expected[f"{weights.op.name}.{name}"].flatten()
            assert F.cosine_similarity(one, other, dim=0) > 0.99, (weights.op.name, name)
            assert 0.97 < one.norm() / other.norm() < 1.03, (weights.op.name, name)


def test_saturated_values_get_no_gradient() -> None:
    graph = network(None)
    scales = calibrated(graph, pixels(), Quantisation())
    tight = scales.values | {"block1.attention.query.out": 1e-6}
    found = IntegerNetwork(graph, replace(scales, values=tight), Quantisation(), ENGINE)
    F.cross_entropy(found(torch.from_numpy(pixels())).logits, labels()).backward()
    for weights in found.weights:
        for name, parameter in weights.named_parameters():
            assert parameter.grad.any() == (weights.op.name != "block1.attention.query"), name


def test_shares_lead_the_number_of_tokens() -> None:
    """The keep-ratio loss reaches the selectors through their hard decisions."""
    found = prepared(network({}), Quantisation())
    images = torch.from_numpy(pixels())
    before = float(found(images).shares[0].mean().detach())
    optimiser = torch.optim.SGD(found.parameters(), 0.5)
    for _ in range(10):
        loss = (found(images).shares[0].mean() - 0.1).square()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(found(images).shares[0].mean().detach()) < before - 0.1


def test_a_canonical_graph_gives_the_same_network() -> None:
    graph = canonicalise(network({}))
    settings = Quantisation()
    found = prepared(graph, settings)
    assert (integers(found, pixels()) == integers(prepared(network({}), settings), pixels())).all()
    train(found, steps=1)
    program = compile_scaled(found.graph(), found.scales, settings, ENGINE)
    assert (integers(found, pixels()) == run(program, pixels())).all()


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_real_weights_are_those_of_the_canonical_graph(activation: str) -> None:
    """The passes and the pixel normalisation, once more in torch, for the gradients."""
    graph = network({"activation": activation})
    width = SHAPE.width
    scale = Scale("scale", "patches", "scaled", np.linspace(0.5, 2, width, dtype=np.float32))
    first, tokens, *rest = graph.ops
    assert isinstance(first, PatchEmbedding) and isinstance(tokens, Tokens)
    graph = replace(graph, ops=(first, scale, replace(tokens, input="scaled"), *rest))
    form = trainable_form(graph)
    assert not any(isinstance(op, Scale) for op in form.ops)
    found = {
        name: (weight.detach().numpy(), bias.detach().numpy())
        for op in form.ops
        for name, weight, bias in canonical_weights(Weights(op), graph.input)
    }
    expected = {}
    for op in canonicalise(graph).ops:
        if isinstance(op, PatchEmbedding):
            expected[op.name] = fold_pixels(op, graph.input)
        elif isinstance(op, FusedLinear):
            expected[op.name] = (op.weight, op.bias)
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        for one, other in zip(found[name], arrays, strict=True):
            assert np.allclose(one, other, rtol=1e-5, atol=1e-6), name


def test_exported_graph_keeps_selectors_and_norms_without_gamma() -> None:
    found = prepared(network({}), Quantisation())
    train(found, steps=1)
    graph = found.graph()
    assert [op.name for op in graph.ops] == [op.name for op in trainable_form(network({})).ops]
    norms = [op for op in graph.ops if isinstance(op, LayerNorm)]
    assert norms and all((op.gamma == 1).all() and not op.beta.any() for op in norms)
    assert sum(isinstance(op, TokenSelector) for op in graph.ops) == 2
    arrays = [op.weight for op in graph.ops if isinstance(op, Linear)]
    assert all(array.dtype == np.float32 for array in arrays)


def test_lower_precision_outside_changes_nothing() -> None:
    found = prepared(network({}), Quantisation())
    expected = integers(found, pixels())
    with torch.autocast("cpu", torch.bfloat16):
        assert (integers(found, pixels()) == expected).all()


def test_images_of_another_shape_are_refused() -> None:
    found = prepared(network(None), Quantisation())
    with pytest.raises(
        DataError,
        match=r"^The images are torch\.uint8 of shape \(2, 12, 16, 3\); this model takes uint8 of "
        r"shape \(images, 16, 16, 3\), that is height, width, channels\.$",
    ):
        found(torch.zeros(2, 12, 16, 3, dtype=torch.uint8))
    with pytest.raises(DataError, match=r"The images are torch\.float32"):
        found(torch.zeros(2, 16, 16, 3))


def test_a_network_that_no_engine_of_this_size_runs_is_refused() -> None:
    graph = network(None)
    scales = calibrated(graph, pixels(), Quantisation())
    with pytest.raises(FitError, match=r"has 17 rows; the engine takes 16\."):
        IntegerNetwork(graph, scales, Quantisation(), replace(ENGINE, max_rows=16))
