# SPDX-License-Identifier: Apache-2.0
"""Writes a self-test instruction by instruction, check by check."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwgen.compile.stream import WeightStream
from hwgen.driver.diagnosis import Check
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.numerics.layer_norm import MEAN_FRACTION, mean_multiplier
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import End, Instruction, Load, Matmul
from hwgen.program.program import InputLayout, OutputLayout, Program

UNIT = Ratio(1 << 15, 15)
"""A requantisation that changes nothing."""
ZERO = Ratio(0, 47)
"""One that leaves nothing."""


@dataclass(frozen=True)
class Layer:
    """The weights of a MATMUL in the weight region; sizes in slices."""

    offset: int
    inputs: int
    outputs: int


class Writer:
    """A program under construction.

    Attributes:
        lanes: of the engine.
        rng: the same numbers for each engine configuration.
    """

    def __init__(self, engine: EngineConfig) -> None:
        self.engine = engine
        self.lanes = engine.lanes
        self.rng = np.random.default_rng(0)
        self._stream = WeightStream(engine.lanes)
        self._inputs = WeightStream(engine.lanes)
        self._instructions: list[Instruction] = []
        self._labels: list[str] = []
        self._checks: list[Check] = []
        self._vectors = 0
        self._name = ""
        lanes = np.eye(engine.lanes, dtype=np.int8)
        self.identity = self.layer(lanes)
        self.nothing = self.layer(0 * lanes, ratio=ZERO)

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """All output written meanwhile is the result of this check."""
        self._name, first = name, self._vectors
        yield
        self._checks.append(Check(name, first, self._vectors - first))

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(self._checks)

    def emit(self, instruction: Instruction) -> None:
        self._instructions.append(instruction)
        self._labels.append(self._name)

    def output(self, vectors: int) -> int:
        """Reserves the next vectors of the output region; the first one's address."""
        self._vectors += vectors
        return self._vectors - vectors

    def load(
        self,
        rows: np.ndarray,
        buffer: Buffer,
        address: int,
        region: Region = Region.WEIGHTS,
        offset_binary: int = 0,
    ) -> None:
        """Rows (n, lanes) to consecutive vectors: int16 to RESIDUAL, int8 to WORK. With
        ``offset_binary`` 128 is added to each number in memory.
        """
        offset = self.data(rows, region, offset_binary)
        self.emit(Load(region, offset, buffer, address, len(rows), offset_binary))

    def data(
        self, rows: np.ndarray, region: Region = Region.WEIGHTS, offset_binary: int = 0
    ) -> int:
        """Puts rows, as for ``load``, into a region; the offset of the first beat."""
        beats = np.ascontiguousarray(rows.astype(rows.dtype.newbyteorder("<"))).view(np.uint8)
        beats = beats.reshape(-1, self.lanes) ^ np.uint8(128 * offset_binary)
        return (self._inputs if region == Region.INPUT else self._stream).append(beats)

    def layer(
        self,
        weights: np.ndarray,
        bias: np.ndarray | int = 0,
        ratio: Ratio | list[Ratio] = UNIT,
    ) -> Layer:
        """Weights (outputs, inputs) with a bias and ratio for each output, or one for all."""
        outputs, inputs = weights.shape
        ratios = ratio if isinstance(ratio, list) else [ratio] * outputs
        parameters = LayerParameters(
            weights,
            np.broadcast_to(bias, outputs),
            np.array([r.multiplier for r in ratios]),
            np.array([r.shift for r in ratios]),
        )
        offset = self._stream.append(pack_parameters(parameters, self.lanes))
        return Layer(offset, inputs // self.lanes, outputs // self.lanes)

    def biased(self, bias: np.ndarray, ratios: list[Ratio]) -> Layer:
        """A layer without weights: what it makes are its biases, requantised."""
        return self.layer(np.zeros((len(bias), self.lanes), np.int8), bias, ratios)

    def matmul(
        self,
        layer: Layer,
        destination: Buffer,
        address: int,
        rows: int,
        source: int = 0,
        **fields: Any,
    ) -> None:
        """A MATMUL from ``source`` of WORK, or of RESIDUAL with ``normalise``; unless ``fields``
        say otherwise slices lie one behind the other.
        """
        wanted = {
            "rows_register": 0,
            "source_buffer": Buffer.RESIDUAL if fields.get("normalise") else Buffer.WORK,
            "source_stride": rows,
            "destination_stride": rows,
            "reduction_slices": layer.inputs,
            "output_slices": layer.outputs,
            "offset": layer.offset,
        }
        operands = {"source_address": source, "destination_address": address, "rows": rows}
        operands |= {"destination_buffer": destination}
        self.emit(Matmul(**(wanted | operands | fields)))

    def show(self, layer: Layer, rows: int, source: int = 0, **fields: Any) -> None:
        """A MATMUL to the output region."""
        address = self.output(rows * layer.outputs)
        self.matmul(layer, Buffer.OUTPUT, address, rows, source, **fields)

    def show_work(self, address: int, rows: int) -> None:
        """Sends rows of WORK to the output region."""
        for first in range(0, rows, self.engine.max_rows):
            count = min(self.engine.max_rows, rows - first)
            self.show(self.identity, count, address + first)

    def show_residual(self, address: int, rows: int) -> None:
        """Sends rows of RESIDUAL to the output region: added to nothing, whatever lies in WORK."""
        for first in range(0, rows, self.engine.max_rows):
            count = min(self.engine.max_rows, rows - first)
            self.show(self.nothing, count, residual=1, residual_address=address + first)

    def program(self) -> Program:
        """All of it; the input layout takes an image (beats, 1, lanes) as beats."""
        self._name = "end"
        self.emit(End())
        beats = len(self._inputs.beats())
        return Program(
            name="self-test",
            engine=self.engine,
            instructions=tuple(self._instructions),
            labels=tuple(self._labels),
            weights=self._stream.beats(),
            input=InputLayout(beats, 1, self.lanes, 1),
            output=OutputLayout(self._vectors, self.lanes, 1.0),
        )

    def images(self) -> np.ndarray:
        """The input of the only run as an image, uint8 (1, beats, 1, lanes)."""
        return self._inputs.beats()[None, :, None, :]


def normalisation(columns: int, deviation: float, epsilon: int = 0) -> dict[str, int]:
    """Fields of a MATMUL that normalises rows to a standard deviation."""
    ratio = ratio_from(columns / (1 << MEAN_FRACTION) * deviation)
    return {
        "normalise": 1,
        "columns": columns,
        "mean_multiplier": mean_multiplier(columns),
        "epsilon": epsilon,
        "normalise_multiplier": ratio.multiplier,
        "normalise_shift": ratio.shift,
    }
