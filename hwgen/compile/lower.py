# SPDX-License-Identifier: Apache-2.0
"""From the canonical graph, its scales and its placement to instructions and weights."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hwgen.compile.placement import Placement
from hwgen.compile.registers import TokenRegisters
from hwgen.compile.stream import WeightStream
from hwgen.config import Quantisation
from hwgen.errors import FitError, ModelError
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.ir.evaluate import selects_tokens
from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    ImageInput,
    Op,
    PatchEmbedding,
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
)
from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.numerics.gelu import INPUT_FRACTION, OUTPUT_FRACTION, RELU, gelu_constants
from hwgen.numerics.layer_norm import MEAN_FRACTION, mean_multiplier
from hwgen.numerics.sigmoid import ONE
from hwgen.numerics.softmax import FRACTION
from hwgen.program import instructions as isa
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.quant.scales import Scales
from hwgen.quant.weights import (
    quantise_linear,
    quantise_positions,
    row_ratios,
    with_second_scaled,
)

Line = tuple[str, isa.Instruction]
"""An instruction with its label."""


class Lowering:
    """Lowers one operation for one group of images after the other.

    An operation's weights are quantised once; each group reads them again from the same offset.
    """

    def __init__(
        self,
        graph: Graph,
        scales: Scales,
        places: dict[str, Placement],
        tokens: int,
        batch: int,
        settings: Quantisation,
        engine: EngineConfig,
    ) -> None:
        self.graph = graph
        self.scales = scales
        self.places = places
        self.tokens = tokens
        self.batch = batch
        self.settings = settings
        self.engine = engine
        self.stream = WeightStream(engine.lanes)
        self._constants: dict[str, dict[str, Any]] = {}
        self.registers = TokenRegisters(batch if selects_tokens(graph) else 0)

    def start(self) -> list[Line]:
        """Sets the token registers that the operations lowered so far read."""
        constants = self.registers.constants
        return [("tokens", isa.SetTokens(k - 1, rows)) for rows, k in constants.items()]

    def lower(self, op: Op, images: range) -> list[Line]:
        """The instructions of one operation for a group of images."""
        match op:
            case PatchEmbedding():
                return self._embedding(op, images)
            case FusedLinear():
                return self._linear(op, images)
            case Attention():
                return [self._attention(op, image) for image in images]
            case SelectTokens():
                return [self._select(op, image) for image in images]
            case TakeToken() if self.places[op.input].group > 1 and self.places[op.input].depth:
                return [self._gather(op, image) for image in images]
            case _:
                return []

    def _embedding(self, op: PatchEmbedding, images: range) -> list[Line]:
        """Pixels; class token and positions into the residual stream; patches added to them.

        Pixel normalisation is folded into the weights, so quantising the input loses nothing.
        """
        (tokens,) = (t for t in self.graph.ops if isinstance(t, Tokens))
        source, stream = self.places[op.input], self.places[tokens.output]
        prefix = len(tokens.class_token)
        constants = self._once(tokens.name, lambda: self._positions(tokens, stream))
        product = self._once(op.name, lambda: self._patches(op, source, stream, tokens.output))
        lines: list[Line] = []
        for part in self._parts(images, source.rows, source, stream):
            for image in part:
                offset = image * source.slices * source.rows
                lines += self._load("pixels", source, image, Region.INPUT, offset, offset_binary=1)
                lines += self._load(tokens.name, stream, image, Region.WEIGHTS, **constants)
            address = stream.address_of(part.start, prefix)
            fields: dict[str, Any] = {
                **product,
                **self._rows(source.rows, len(part)),
                "source_address": source.address_of(part.start, 0),
                "destination_address": address,
                "residual_address": address,
            }
            lines.append((self._label(op.name, part), isa.Matmul(**fields)))
        return lines

    def _linear(self, op: FusedLinear, images: range) -> list[Line]:
        """A MATMUL; one for each image where their rows do not lie one after the other."""
        source, target = self.places[op.input], self.places[op.output]
        residual = self.places[op.residual] if op.residual is not None else None
        operands = (source, target) if residual is None else (source, target, residual)
        constants = self._once(op.name, lambda: self._layer(op, source, target, residual))
        lines: list[Line] = []
        for part in self._parts(images, target.rows, *operands):
            fields: dict[str, Any] = {
                **constants,
                **self._row_count(target, part),
                "source_address": source.address_of(part.start, target.first_row),
                "source_offset_register": self._offset(source, part.start),
                "destination_address": target.address_of(part.start, target.first_row),
            }
            if residual is not None:
                fields["residual_address"] = residual.address_of(part.start, target.first_row)
            lines.append((self._label(op.name, part), isa.Matmul(**fields)))
        return lines

    def _attention(self, op: Attention, image: int) -> Line:
        """One ATTENTION: images attend to themselves only."""
        query, key, value, target = (
            self.places[name] for name in (op.query, op.key, op.value, op.output)
        )
        alone = range(image, image + 1)
        keys = self._row_count(key, alone)
        instruction = isa.Attention(
            **self._once(op.name, lambda: self._heads(op, query, key, value, target)),
            **self._row_count(target, alone),
            keys=keys["rows"],
            keys_register=keys["rows_register"],
            query_offset_register=self._offset(query, image),
            key_offset_register=self._offset(key, image),
            query_address=query.address_of(image, target.first_row),
            key_address=key.address_of(image, 0),
            value_address=value.address_of(image, 0),
            destination_address=target.address_of(image, target.first_row),
        )
        return self._label(op.name, alone), instruction

    def _select(self, op: SelectTokens, image: int) -> Line:
        """One TOKEN_SELECT: it moves the rows of one image behind those of the image before."""
        source, scores, target = (self.places[name] for name in (op.input, op.scores, op.output))
        instruction = isa.TokenSelect(
            **self._row_count(source, range(image, image + 1)),
            source_address=source.address_of(image, 0),
            source_offset_register=self._offset(source, image),
            source_stride=source.stride,
            destination_address=target.address_of(image, 0),
            destination_offset_register=self._offset(target, image),
            destination_stride=target.stride,
            slices=source.slices,
            score_address=scores.address_of(image, 0),
            heads=op.heads,
            threshold=round(op.threshold * ONE),
            limit=source.rows if op.limit is None else min(op.limit, source.rows),
            prefix=op.prefix,
            packages=op.packages,
            package=1,
            merge=int(op.package == "merged"),
            count_register=self.registers.count(image),
            end_register=self.registers.end(target.depth, image) if target.group > 1 else 0,
        )
        return self._label(op.name, range(image, image + 1)), instruction

    def _gather(self, op: TakeToken, image: int) -> Line:
        """Copies one row of an image next to those of the other images."""
        source, target = self.places[op.input], self.places[op.output]
        instruction = isa.TokenSelect(
            rows=1,
            rows_register=0,
            source_address=source.address_of(image, op.index),
            source_offset_register=self._offset(source, image),
            source_stride=source.stride,
            destination_address=target.address_of(image, 0),
            destination_stride=target.stride,
            slices=source.slices,
            score_address=0,
            heads=0,
            threshold=0,
            limit=0,
            prefix=1,
            count_register=0,
        )
        return self._label(op.name, range(image, image + 1)), instruction

    def _once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The fields of an operation that are the same for all images."""
        if name not in self._constants:
            self._constants[name] = make()
        return self._constants[name]

    def _parts(self, images: range, rows: int, *operands: Placement) -> list[range]:
        """``images`` as one group where their rows lie one after the other, else one by one."""
        if all(place.merges(rows) for place in operands):
            return [images]
        return [range(image, image + 1) for image in images]

    def _label(self, name: str, images: range) -> str:
        if self.batch == 1:
            return name
        if len(images) == 1:
            return f"{name} of image {images.start}"
        return f"{name} of images {images.start} to {images.stop - 1}"

    def _row_count(self, place: Placement, images: range) -> dict[str, int]:
        """Row fields of an instruction for all rows that ``images`` have in a place."""
        if not place.depth:
            return self._rows(place.rows, len(images))
        if len(images) == 1:
            return {"rows": 0, "rows_register": self.registers.count(images.start)}
        return {"rows": 0, "rows_register": self.registers.end(place.depth, images.stop - 1)}

    def _offset(self, place: Placement, image: int) -> int:
        """The register that holds where an image begins behind others of its group; 0: none."""
        return self.registers.end(place.depth, image - 1) if place.follows(image) else 0

    def _rows(self, rows: int, images: int = 1) -> dict[str, int]:
        """Row fields: a token register where every token is meant, else a number."""
        if rows == self.tokens:
            return {"rows": 0, "rows_register": self.registers.constant(rows * images)}
        return {"rows": rows * images, "rows_register": 0}

    def _load(
        self, name: str, place: Placement, image: int, region: Region, offset: int, **fields: int
    ) -> list[Line]:
        """LOADs of one image's matrix, its slices one after the other from ``offset``."""
        whole = place.stride == place.rows
        count, vectors = (1, place.slices * place.rows) if whole else (place.slices, place.rows)
        beats = vectors * (2 if place.buffer == Buffer.RESIDUAL else 1)
        return [
            (
                self._label(name, range(image, image + 1)),
                isa.Load(
                    region=region,
                    offset=offset + part * beats,
                    destination_buffer=place.buffer,
                    destination_address=place.address_of(image, 0) + part * place.stride,
                    vectors=vectors,
                    **fields,
                ),
            )
            for part in range(count)
        ]

    def _positions(self, tokens: Tokens, stream: Placement) -> dict[str, int]:
        """Class token and position embedding as beats in the weight region."""
        integers = quantise_positions(tokens, self.scales.values[tokens.output])
        beats = self._residual_beats(integers, stream)
        return {"offset": self.stream.append(beats)}

    def _patches(
        self, op: PatchEmbedding, source: Placement, stream: Placement, output: str
    ) -> dict[str, int]:
        weight, bias = fold_pixels(op, self.graph.input)
        scale = self.scales.values[op.input]
        product = self._product(op.name, weight, bias, scale, output, source, stream)
        return {**product, "residual": 1, "residual_stride": stream.stride}

    def _layer(
        self, op: FusedLinear, source: Placement, target: Placement, residual: Placement | None
    ) -> dict[str, int]:
        extra: dict[str, int] = {}
        input_scale = self.scales.values[op.input]
        weight, columns = op.weight, source.columns
        if op.second is not None:
            second = self.places[op.second]
            extra |= self._second(source, second)
            # One int8 scale for both sources: what the second one lacks goes into its weights.
            ratio = self.scales.values[op.second] / input_scale
            weight = with_second_scaled(weight, len(source.columns), ratio)
            beyond = source.slices * self.engine.lanes + second.columns
            columns = np.concatenate([source.columns, beyond])
            source = replace(source, slices=source.slices + second.slices, columns=columns)
        mean = next((m for m in self.graph.consumers(op.output) if isinstance(m, TokenMean)), None)
        if mean is not None:
            extra |= {"mean": 1, "mean_address": self.places[mean.output].address}
        if op.epsilon is not None:
            extra |= self._normalisation(op, input_scale)
            input_scale = self.scales.normalised[op.name]
        if op.gelu or op.relu:
            extra |= self._gelu(op)
        if residual is not None:
            extra |= {"residual": 1, "residual_stride": residual.stride}
        product = self._product(
            op.name, weight, op.bias, input_scale, op.output, source, target, op.gelu or op.relu
        )
        return {**product, **extra}

    def _second(self, source: Placement, second: Placement) -> dict[str, int]:
        """Fields of a second source: a matrix like the first one, or one row."""
        assert second.rows == 1 or second.stride == source.stride
        return {
            "second_slices": second.slices,
            "second_address": second.address,
            "second_broadcast": int(second.rows == 1),
        }

    def _heads(
        self,
        op: Attention,
        query: Placement,
        key: Placement,
        value: Placement,
        target: Placement,
    ) -> dict[str, int]:
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
        return {
            "query_stride": query.stride,
            "key_stride": key.stride,
            "value_stride": value.stride,
            "destination_stride": target.stride,
            "heads": op.heads,
            "head_slices": target.slices // op.heads,
            "score_multiplier": score.multiplier,
            "score_shift": score.shift,
            "exponent_multiplier": exponent,
            "output_multiplier": output.multiplier,
            "output_shift": output.shift,
        }

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
        constants = RELU if op.relu else gelu_constants(self.settings.gelu_delta)
        output = self._ratio(2.0**-OUTPUT_FRACTION / self.scales.values[op.output], op.name)
        return {
            "gelu": 1,
            "gelu_one": constants.one,
            "gelu_slope": constants.slope,
            "gelu_multiplier": output.multiplier,
            "gelu_shift": output.shift,
        }

    def _product(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray,
        input_scale: float,
        output: str,
        source: Placement,
        target: Placement,
        gelu: bool = False,
    ) -> dict[str, Any]:
        """Weights into the stream; the fields that say where they, source and target are."""
        output_scale = 2.0**-INPUT_FRACTION if gelu else self.scales.values[output]
        parameters = self._parameters(name, weight, bias, input_scale, output_scale, source, target)
        return {
            "source_buffer": source.buffer,
            "source_stride": source.stride,
            "reduction_slices": source.slices,
            "destination_buffer": target.buffer,
            "destination_stride": target.stride,
            "output_slices": target.slices,
            "offset": self.stream.append(pack_parameters(parameters, self.engine.lanes)),
        }

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
        power_of_two = self.settings.power_of_two
        ratios = row_ratios(layer, input_scale, output_scale, power_of_two, name)
        multiplier, shift = np.ones(outputs, np.uint16), np.ones(outputs, np.uint8)
        multiplier[target.columns] = [ratio.multiplier for ratio in ratios]
        shift[target.columns] = [ratio.shift for ratio in ratios]
        return LayerParameters(weights, biases, multiplier, shift)

    def _residual_beats(self, integers: np.ndarray, place: Placement) -> np.ndarray:
        """Rows of the residual stream as int16 vectors in slice order, two beats each."""
        lanes = self.engine.lanes
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
