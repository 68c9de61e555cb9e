# SPDX-License-Identifier: Apache-2.0
"""Quantisation-aware training: a network whose forward pass is the integer arithmetic of golden.

Every value in it is the real value of integers that the Program computes; the test is equality
with the interpreter, bit for bit. Gradients are those of the real operations (straight through).
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwgen.compile import compile_scaled
from hwgen.compile.lower import fold_pixels
from hwgen.config import Quantisation
from hwgen.errors import DataError
from hwgen.frontend.write import write_onnx
from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    Op,
    PatchEmbedding,
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
    inputs_of,
)
from hwgen.numerics.gelu import INPUT_FRACTION
from hwgen.passes import canonicalise
from hwgen.program import instructions as isa
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.prune import integer_layers as layers
from hwgen.prune.integer_arithmetic import ratio_values
from hwgen.prune.integer_gradients import straight_through
from hwgen.prune.integer_layers import Layer, Value
from hwgen.prune.integer_weights import Weights, canonical_weights, has_weights, trainable_form
from hwgen.prune.network import SPARE, Outcome, Rows
from hwgen.prune.selector import Selection
from hwgen.quant.calibrate import calibrate
from hwgen.quant.scales import Scales, choose_scales
from hwgen.quant.trained import KEY, TrainedQuantisation
from hwgen.quant.weights import (
    quantise_linear,
    quantise_positions,
    row_ratios,
    with_second_scaled,
)


class IntegerNetwork(nn.Module):
    """A vision transformer in integers, trainable.

    Parameters are the float weights of ``trainable_form(graph)``. Each forward pass quantises them
    as the compiler does; the scales of activations stay as they are. All constants of
    instructions are taken from the Program that the compiler makes with these scales.

    Args:
        graph: as imported, with token selectors or without, or canonical.
        scales: of the canonical graph's values, from ``calibrated`` or an earlier training.
        settings: of the quantisation; HeatViT's are ``power_of_two`` with ``gelu_delta`` and
            ``softmax_delta`` 0.5.
        engine: the network must fit it. Results do not depend on it.

    Raises:
        ModelError: the graph cannot be compiled.
        FitError: the network does not fit the engine's buffers.
    """

    def __init__(
        self,
        graph: Graph,
        scales: Scales,
        settings: Quantisation,
        engine: EngineConfig | None = None,
    ) -> None:
        super().__init__()
        self.scales = scales
        self.settings = settings
        self.engine = engine or EngineConfig()
        self._graph = trainable_form(graph)
        self.weights = nn.ModuleList(Weights(op) for op in self._graph.ops if has_weights(op))
        program = self.program()
        self.output_scale = program.output.scale
        """The real value of one step of the logits."""
        self._instructions = {
            label: instruction
            for label, instruction in zip(program.labels, program.instructions, strict=True)
            if isinstance(instruction, isa.Matmul | isa.Attention | isa.TokenSelect)
        }

    @property
    def tokens(self) -> int:
        """An image's tokens, class tokens not counted."""
        return _tokens(self._graph)

    def graph(self) -> Graph:
        """The trained Graph: what was given, in its trainable form, with the present weights."""
        trained = {weights.op.name: weights.to_op() for weights in self._weights()}
        ops = tuple(trained.get(op.name, op) for op in self._graph.ops)
        return dataclasses.replace(self._graph, ops=ops)

    def program(self) -> Program:
        """The Program of the present weights; it computes what ``forward`` does."""
        return compile_scaled(canonicalise(self.graph()), self.scales, self.settings, self.engine)

    def write_onnx(self, path: str | Path) -> None:
        """Writes the trained Graph with its scales and settings, which ``hwgen build`` then uses.

        The file's float functions are the exact ones: onnxruntime shows the network without its
        regularised functions and without rounding.

        Raises ModelError when the network was made from a canonical graph.
        """
        canonical = canonicalise(self.graph())
        trained = TrainedQuantisation.of(canonical, self.scales, self.settings)
        write_onnx(self.graph(), path, {KEY: trained.text()})

    def forward(self, images: Tensor) -> Outcome:
        """Runs uint8 ``images`` (images, height, width, channels).

        ``logits`` (images, classes) are real numbers, whole multiples of ``output_scale``.
        Selectors decide as golden does, in training too.

        Raises DataError when the images do not fit the network.
        """
        expected = (self._graph.input.height, self._graph.input.width, self._graph.input.channels)
        if images.dtype != torch.uint8 or images.shape[1:] != expected:
            raise DataError(
                f"The images are {images.dtype} of shape {tuple(images.shape)}; this model takes "
                f"uint8 of shape (images, {', '.join(map(str, expected))}), that is height, "
                "width, channels."
            )
        # A lower precision would round integers.
        with torch.autocast(images.device.type, enabled=False):
            return self._run(images)

    def _run(self, images: Tensor) -> Outcome:
        graph = canonicalise(self.graph())
        real = {
            name: (weight, bias)
            for weights in self._weights()
            for name, weight, bias in canonical_weights(weights, graph.input)
        }
        pixels = images.float() - 128
        values = {graph.input.name: Value(pixels, pixels, 1.0)}
        last_use = {name: op for op in graph.ops for name in inputs_of(op)}
        outcome = _Outcome(graph)
        for op in graph.ops:
            inputs = tuple(values[name] for name in inputs_of(op))
            values[op.output] = self._compute(graph, op, inputs, real, outcome)
            for name in set(inputs_of(op)):
                if last_use[name] is op and name != graph.output:
                    del values[name]
        return outcome.of(values[graph.output].real[:, 0])

    def _compute(
        self,
        graph: Graph,
        op: Op,
        inputs: tuple[Value, ...],
        real: dict[str, tuple[Tensor, Tensor]],
        outcome: "_Outcome",
    ) -> Value:
        x, scales = inputs[0], self.scales
        match op:
            case PatchEmbedding():
                return self._embedding(graph, op, x, real)
            case Tokens():
                return self._tokens(op, x)
            case FusedLinear():
                return self._linear(op, inputs, real)
            case Attention():
                instruction = self._instruction(op, isa.Attention)
                delta, scale = self.settings.softmax_delta, scales.values[op.output]
                query, key, value = inputs
                return layers.attention(instruction, query, key, value, op.scale, delta, scale)
            case TokenMean():
                return layers.token_mean(x)
            case TakeToken():
                row = slice(op.index, op.index + 1)
                return Value(x.integers[:, row], x.real[:, row], x.scale)
            case SelectTokens():
                decision = layers.decide(self._instruction(op, isa.TokenSelect), x, inputs[1])
                rows = layers.computed_rows(x, decision, SPARE if self.training else 0.0)
                result = layers.token_select(x, decision.gate, rows)
                outcome.add(op, inputs[1], decision, rows, result)
                return result
        raise AssertionError(op)

    def _embedding(
        self, graph: Graph, op: PatchEmbedding, x: Value, real: dict[str, tuple[Tensor, Tensor]]
    ) -> Value:
        """The patch product goes straight into the residual stream, on its scale."""
        (tokens,) = (t for t in graph.ops if isinstance(t, Tokens))
        patches = _patches(x.integers, op.patch)
        scale = self.scales.values[tokens.output]
        weight, bias = fold_pixels(op, graph.input)
        layer = self._layer(op.name, weight, bias, real, x.scale, scale)
        instruction = self._instruction(op, isa.Matmul)
        return layers.matmul(instruction, layer, Value(patches, patches, x.scale), None, scale)

    def _tokens(self, op: Tokens, x: Value) -> Value:
        scale, prefix = self.scales.values[op.output], len(op.class_token)
        integers = quantise_positions(op, scale).astype(np.float32)
        (weights,) = (w for w in self._weights() if w.op.name == op.name)
        real = torch.cat(
            [weights["position"][:prefix] + weights["class_token"], weights["position"][prefix:]]
        )
        constant = torch.from_numpy(integers).to(real.device)
        return layers.positions(x, constant, straight_through(real, constant * scale), prefix)

    def _linear(
        self, op: FusedLinear, inputs: tuple[Value, ...], real: dict[str, tuple[Tensor, Tensor]]
    ) -> Value:
        instruction = self._instruction(op, isa.Matmul)
        x, columns = inputs[0], None
        weight, input_scale = op.weight, x.scale
        if op.epsilon is not None:
            input_scale = self.scales.normalised[op.name]
            x = layers.normalised(instruction, x, op.epsilon, input_scale)
        if op.second is not None:
            ratio, first = inputs[1].scale / x.scale, x.integers.shape[2]
            weight = with_second_scaled(weight, first, ratio)
            columns = np.repeat([1.0, ratio], [first, weight.shape[1] - first])
            x = layers.joined(x, inputs[1])
        scale = self.scales.values[op.output]
        gelu = op.gelu or op.relu
        output_scale = 2.0**-INPUT_FRACTION if gelu else scale
        layer = self._layer(op.name, weight, op.bias, real, input_scale, output_scale, columns)
        residual = None if op.residual is None else inputs[-1]
        return layers.matmul(instruction, layer, x, residual, scale)

    def _layer(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray,
        real: dict[str, tuple[Tensor, Tensor]],
        input_scale: float,
        output_scale: float,
        columns: np.ndarray | None = None,
    ) -> Layer:
        """Quantised weights. ``columns`` (inputs,) is what columns of ``weight`` were multiplied by
        on the way from the ``real`` ones.
        """
        power_of_two = self.settings.power_of_two
        found = quantise_linear(name, weight, bias, input_scale, power_of_two)
        ratios = row_ratios(found, input_scale, output_scale, power_of_two, name)
        real_weight, real_bias = real[name]
        device = real_weight.device
        steps = found.scale[:, None] if columns is None else found.scale[:, None] / columns
        values = torch.from_numpy((found.weight * steps).astype(np.float32)).to(device)
        return Layer(
            torch.from_numpy(found.weight.T.astype(np.float32)).to(device),
            torch.from_numpy(found.bias.astype(np.float64)).to(device),
            ratio_values(ratios, device),
            torch.from_numpy(found.scale * input_scale).to(device),
            straight_through(real_weight, values).T,
            real_bias,
        )

    def _instruction(self, op: Op, kind: type) -> Any:
        found = self._instructions[op.name]
        assert isinstance(found, kind)
        return found

    def _weights(self) -> list[Weights]:
        return [module for module in self.weights if isinstance(module, Weights)]


class _Outcome:
    """Collects what the selectors of one forward pass do."""

    def __init__(self, graph: Graph) -> None:
        self._tokens = _tokens(graph)
        self._selections: list[Selection] = []
        self._shares: list[Tensor] = []
        self._rows: list[Rows] = []

    def add(
        self,
        op: SelectTokens,
        scores: Value,
        decision: layers.Decision,
        rows: Tensor,
        result: Value,
    ) -> None:
        """Takes in one selector's work; it went on with ``rows`` of what it read."""
        gate = decision.gate
        self._selections.append(Selection(decision.score, gate, scores.real))
        last = gate.shape[1] - op.packages
        self._shares.append(gate[:, op.prefix : last].sum(dim=1) / self._tokens)
        places = torch.arange(gate.shape[1], device=gate.device).expand(len(gate), -1)
        before = self._rows[-1].origin if self._rows else places
        self._rows.append(Rows(result.weights, F.pad(before.gather(1, rows), (0, 1), value=-1)))

    def of(self, logits: Tensor) -> Outcome:
        return Outcome(logits, tuple(self._selections), tuple(self._shares), tuple(self._rows))


def calibrated(graph: Graph, images: np.ndarray, settings: Quantisation) -> Scales:
    """The scales that the compiler would choose for ``graph``, as imported, on uint8 ``images``
    (images, height, width, channels).

    Raises ModelError and DataError as ``compile_model``.
    """
    canonical = canonicalise(graph)
    return choose_scales(canonical, calibrate(canonical, images), settings)


def _tokens(graph: Graph) -> int:
    tokens = next(op for op in graph.ops if isinstance(op, Tokens))
    return len(tokens.position) - len(tokens.class_token)


def _patches(pixels: Tensor, patch: int) -> Tensor:
    """(images, height, width, channels) as rows of patches, as ``hwgen.ir.evaluate.patches``."""
    count, height, width, channels = pixels.shape
    tiles = pixels.reshape(count, height // patch, patch, width // patch, patch, channels)
    return tiles.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2)
