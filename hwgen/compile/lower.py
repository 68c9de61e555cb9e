# SPDX-License-Identifier: Apache-2.0
"""From the canonical graph, its scales and its placement to instructions and weights."""

import math

import numpy as np

from hwgen.compile.placement import Placement
from hwgen.compile.stream import WeightStream
from hwgen.config import Quantisation
from hwgen.errors import FitError, ModelError
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.ir.graph import Attention, FusedLinear, Graph, ImageInput, PatchEmbedding, Tokens
from hwgen.numerics.fixed_point import INT16_MAX, Ratio, ratio_from
from hwgen.numerics.gelu import INPUT_FRACTION, OUTPUT_FRACTION, gelu_constants
from hwgen.numerics.layer_norm import MEAN_FRACTION, mean_multiplier
from hwgen.numerics.softmax import FRACTION
from hwgen.program import instructions as isa
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.quant.scales import Scales
from hwgen.quant.weights import quantise_linear

TOKENS = 0
"""The token register that holds the token count of the whole network."""


class Lowering:
    """Lowers one operation after the other; each method returns its instructions with labels."""

    def __init__(
        self,
        graph: Graph,
        scales: Scales,
        places: dict[str, Placement],
        tokens: int,
        settings: Quantisation,
        engine: EngineConfig,
    ) -> None:
        self.graph = graph
        self.scales = scales
        self.places = places
        self.tokens = tokens
        self.settings = settings
        self.engine = engine
        self.stream = WeightStream(engine.lanes)

    def start(self) -> list[tuple[str, isa.Instruction]]:
        """Sets the token count and loads the pixels."""
        pixels = self.places[self.graph.input.name]
        load = isa.Load(
            region=Region.INPUT,
            offset=0,
            destination_buffer=pixels.buffer,
            destination_address=pixels.address,
            vectors=pixels.slices * pixels.rows,
            offset_binary=1,
        )
        return [("tokens", isa.SetTokens(TOKENS, self.tokens)), ("pixels", load)]

    def embedding(self, patch: PatchEmbedding, tokens: Tokens) -> list[tuple[str, isa.Instruction]]:
        """Class token and positions into the residual stream, then patches added to them.

        Pixel normalisation is folded into the weights, so quantising the input loses nothing.
        """
        stream = self.places[tokens.output]
        prefix = len(tokens.class_token)
        constants = tokens.position.astype(np.float64)
        constants[:prefix] += tokens.class_token
        beats = self._residual_beats(constants, stream, self.scales.values[tokens.output])
        load = isa.Load(
            region=Region.WEIGHTS,
            offset=self.stream.append(beats),
            destination_buffer=stream.buffer,
            destination_address=stream.address,
            vectors=stream.slices * stream.rows,
        )
        weight, bias = fold_pixels(patch, self.graph.input)
        source = self.places[patch.input]
        address = stream.address_of(prefix)
        product = self._matmul(
            patch.name, weight, bias, self.scales.values[patch.input], tokens.output,
            source, stream,
            rows=source.rows, rows_register=0,
            destination_address=address,
            residual=1, residual_address=address, residual_stride=stream.stride,
        )  # fmt: skip
        return [(tokens.name, load), (patch.name, product)]

    def linear(self, op: FusedLinear) -> list[tuple[str, isa.Instruction]]:
        """One MATMUL."""
        source, target = self.places[op.input], self.places[op.output]
        extra: dict[str, int] = {}
        input_scale = self.scales.values[op.input]
        if op.epsilon is not None:
            extra |= self._normalisation(op, input_scale)
            input_scale = self.scales.normalised[op.name]
        if op.gelu:
            extra |= self._gelu(op)
        if op.residual is not None:
            residual = self.places[op.residual]
            extra |= {
                "residual": 1,
                "residual_address": residual.address_of(target.first_row),
                "residual_stride": residual.stride,
            }
        instruction = self._matmul(
            op.name, op.weight, op.bias, input_scale, op.output, source, target,
            **self._rows(target), destination_address=target.address, gelu=int(op.gelu), **extra,
        )  # fmt: skip
        return [(op.name, instruction)]

    def attention(self, op: Attention) -> list[tuple[str, isa.Instruction]]:
        """One ATTENTION."""
        query, key, value, target = (
            self.places[name] for name in (op.query, op.key, op.value, op.output)
        )
        scale = self.scales.values
        score_scale = self.scales.scores[op.name]
        score = self._ratio(scale[op.query] * scale[op.key] * op.scale / score_scale, op.name)
        output = ratio_from(
            self.settings.softmax_delta * scale[op.value] / scale[op.output], where=f" in {op.name}"
        )
        # What one step of the score really is once the factor above is rounded.
        score_scale = scale[op.query] * scale[op.key] * op.scale / score.value
        exponent = max(1, round(score_scale * math.log2(math.e) * (1 << FRACTION)))
        if exponent >> 16:
            raise ModelError(
                f"Attention {op.name!r} has scores up to {score_scale * 127:.3g} on the "
                "calibration images; the exponential unit takes scores up to 350. Check the "
                "calibration data and the attention scale."
            )
        keys = self._rows(key)
        instruction = isa.Attention(
            **self._rows(target),
            keys=keys["rows"],
            keys_register=keys["rows_register"],
            query_address=query.address_of(target.first_row),
            query_stride=query.stride,
            key_address=key.address,
            key_stride=key.stride,
            value_address=value.address,
            value_stride=value.stride,
            destination_address=target.address,
            destination_stride=target.stride,
            heads=op.heads,
            head_slices=target.slices // op.heads,
            score_multiplier=score.multiplier,
            score_shift=score.shift,
            exponent_multiplier=exponent,
            output_multiplier=output.multiplier,
            output_shift=output.shift,
        )
        return [(op.name, instruction)]

    def _rows(self, place: Placement) -> dict[str, int]:
        """Row fields: the token register where every token is meant, else a number."""
        if place.rows == self.tokens:
            return {"rows": 0, "rows_register": TOKENS + 1}
        return {"rows": place.rows, "rows_register": 0}

    def _ratio(self, value: float, name: str) -> Ratio:
        return ratio_from(
            value, power_of_two=self.settings.power_of_two, where=f" in layer {name!r}"
        )

    def _normalisation(self, op: FusedLinear, scale: float) -> dict[str, int]:
        columns = op.weight.shape[1]
        output = ratio_from(
            columns / ((1 << MEAN_FRACTION) * self.scales.normalised[op.name]),
            where=f" in the normalisation of {op.name!r}",
        )
        assert op.epsilon is not None
        return {
            "normalise": 1,
            "columns": columns,
            "mean_multiplier": mean_multiplier(columns),
            "epsilon": round(op.epsilon * (columns / scale) ** 2),
            "normalise_multiplier": output.multiplier,
            "normalise_shift": output.shift,
        }

    def _gelu(self, op: FusedLinear) -> dict[str, int]:
        constants = gelu_constants(self.settings.gelu_delta)
        output = self._ratio(2.0**-OUTPUT_FRACTION / self.scales.values[op.output], op.name)
        return {
            "gelu_one": constants.one,
            "gelu_slope": constants.slope,
            "gelu_multiplier": output.multiplier,
            "gelu_shift": output.shift,
        }

    def _matmul(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray,
        input_scale: float,
        output: str,
        source: Placement,
        target: Placement,
        **fields: int,
    ) -> isa.Matmul:
        gelu = fields.get("gelu", 0)
        output_scale = 2.0**-INPUT_FRACTION if gelu else self.scales.values[output]
        parameters = self._parameters(name, weight, bias, input_scale, output_scale, source, target)
        return isa.Matmul(
            source_buffer=source.buffer,
            source_address=source.address_of(target.first_row),
            source_stride=source.stride,
            reduction_slices=source.slices,
            destination_buffer=target.buffer,
            destination_stride=target.stride,
            output_slices=target.slices,
            offset=self.stream.append(pack_parameters(parameters, self.engine.lanes)),
            **fields,
        )

    def _parameters(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray,
        input_scale: float,
        output_scale: float,
        source: Placement,
        target: Placement,
    ) -> LayerParameters:
        """Quantised weights spread over the padded rows and columns."""
        layer = quantise_linear(name, weight, bias, input_scale, self.settings.power_of_two)
        outputs, inputs = target.slices * self.engine.lanes, source.slices * self.engine.lanes
        weights = np.zeros((outputs, inputs), np.int8)
        weights[np.ix_(target.columns, source.columns)] = layer.weight
        biases = np.zeros(outputs, np.int32)
        biases[target.columns] = layer.bias
        ratios = [self._ratio(s * input_scale / output_scale, name) for s in layer.scale]
        multiplier, shift = np.ones(outputs, np.uint16), np.ones(outputs, np.uint8)
        multiplier[target.columns] = [ratio.multiplier for ratio in ratios]
        shift[target.columns] = [ratio.shift for ratio in ratios]
        return LayerParameters(weights, biases, multiplier, shift)

    def _residual_beats(self, values: np.ndarray, place: Placement, scale: float) -> np.ndarray:
        """Rows of the residual stream as int16 vectors in slice order, two beats each."""
        lanes = self.engine.lanes
        integers = np.rint(values / scale).clip(-INT16_MAX, INT16_MAX)
        padded = np.zeros((place.rows, place.slices * lanes), "<i2")
        padded[:, place.columns] = integers
        vectors = padded.reshape(place.rows, place.slices, lanes).transpose(1, 0, 2)
        return np.ascontiguousarray(vectors).view(np.uint8).reshape(-1, lanes)


def fold_pixels(patch: PatchEmbedding, image: ImageInput) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias for pixels minus 128 in place of normalised pixels, float64.

    ``(p / 255 - mean) / std = (p - 128) / (255 std) + (128 / 255 - mean) / std``.
    """
    repeat = patch.weight.shape[1] // image.channels
    mean, std = (np.tile(np.array(v, np.float64), repeat) for v in (image.mean, image.std))
    weight = patch.weight.astype(np.float64)
    return weight / (255 * std), patch.bias + weight @ ((128 / 255 - mean) / std)


def check_buffers(graph: Graph, places: dict[str, Placement], engine: EngineConfig) -> None:
    """Refuses row counts that the accumulator or the score buffer cannot hold.

    Raises:
        FitError: names the value and the limit.
    """
    for name, place in places.items():
        if place.buffer != Buffer.OUTPUT and place.rows > engine.max_rows:
            raise FitError(
                f"Value {name!r} has {place.rows} rows; the engine takes {engine.max_rows}. Raise "
                "engine.max_rows or use a larger patch size."
            )
    for op in graph.ops:
        if isinstance(op, Attention):
            rows, keys = places[op.output].rows, places[op.key].rows
            need = rows * -(-keys // engine.lanes)
            if need > engine.score_depth:
                raise FitError(
                    f"Attention {op.name!r} has {rows} queries and {keys} keys, which need {need} "
                    f"vectors of the score buffer; the engine has {engine.score_depth}. Raise "
                    "engine.score_depth."
                )
