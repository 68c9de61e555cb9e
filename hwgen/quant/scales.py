# SPDX-License-Identifier: Apache-2.0
"""The real value of one integer step of every tensor."""

from dataclasses import dataclass

from hwgen.config import Quantisation
from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    PatchEmbedding,
    SelectTokens,
    TokenMean,
)
from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX
from hwgen.numerics.sigmoid import INPUT_FRACTION
from hwgen.quant.calibrate import Ranges
from hwgen.quant.streams import wide_streams
from hwgen.quant.weights import power_of_two_above

WIDE_MARGIN = 1.5
"""Headroom of 16-bit tensors over what calibration saw; they have resolution to spare."""


@dataclass(frozen=True)
class Scales:
    """``values`` by value name, ``normalised`` and ``scores`` by the name of the operation."""

    values: dict[str, float]
    normalised: dict[str, float]
    scores: dict[str, float]


def choose_scales(graph: Graph, ranges: Ranges, settings: Quantisation) -> Scales:
    """Scales of a canonical ``graph``: one for each 16-bit stream and for each int8 tensor; the
    pixels' is 1. The scores of a token selection are in Q3.4, a mean is on the scale of what it
    is the mean of.
    """

    def scale(name: str, steps: int, percentile: float = 100.0, margin: float = 1.0) -> float:
        step = margin * ranges.limit(name, percentile) / steps
        return float(power_of_two_above(step)) if settings.power_of_two else step

    streams = wide_streams(graph)
    widest: dict[str, float] = {}
    for name, stream in streams.items():
        step = scale(name, INT16_MAX, 100.0, WIDE_MARGIN)
        widest[stream] = max(step, widest.get(stream, 0.0))
    values = {graph.input.name: 1.0} | {name: widest[streams[name]] for name in streams}
    for op in graph.ops:
        if isinstance(op, SelectTokens):
            values[op.scores] = 2.0**-INPUT_FRACTION
    normalised, scores = {}, {}
    for op in graph.ops:
        match op:
            case Attention():
                scores[op.name] = scale(f"{op.name}.scores", INT8_MAX, settings.percentile)
            case FusedLinear() if op.epsilon is not None:
                normalised[op.name] = scale(f"{op.name}.normalised", INT8_MAX, settings.percentile)
            case TokenMean():
                values[op.output] = values[op.input]
        if op.output not in values and not isinstance(op, PatchEmbedding):
            values[op.output] = scale(op.output, INT8_MAX, settings.percentile)
    return Scales(values, normalised, scores)
