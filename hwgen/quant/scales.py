# SPDX-License-Identifier: Apache-2.0
"""The real value of one integer step of every tensor."""

from dataclasses import dataclass

from hwgen.config import Quantisation
from hwgen.ir.graph import Attention, FusedLinear, Graph, TakeToken, Tokens
from hwgen.numerics.fixed_point import INT8_MAX, INT16_MAX
from hwgen.quant.calibrate import Ranges
from hwgen.quant.weights import power_of_two_above

RESIDUAL_MARGIN = 1.5
"""Headroom of 16-bit tensors over what calibration saw; they have resolution to spare."""


@dataclass(frozen=True)
class Scales:
    """``values`` by value name, ``normalised`` and ``scores`` by the name of the operation."""

    values: dict[str, float]
    normalised: dict[str, float]
    scores: dict[str, float]


def is_residual(op: object) -> bool:
    """Whether an operation's output belongs to the 16-bit residual stream."""
    return isinstance(op, Tokens) or (isinstance(op, FusedLinear) and op.residual is not None)


def choose_scales(graph: Graph, ranges: Ranges, settings: Quantisation) -> Scales:
    """Scales of a canonical ``graph``: one for the whole residual stream, one for each int8
    tensor, the pixels' being 1.
    """

    def scale(name: str, steps: int, percentile: float = 100.0, margin: float = 1.0) -> float:
        step = margin * ranges.limit(name, percentile) / steps
        return float(power_of_two_above(step)) if settings.power_of_two else step

    stream = [op.output for op in graph.ops if is_residual(op)]
    residual = max((scale(name, INT16_MAX, 100.0, RESIDUAL_MARGIN) for name in stream), default=1.0)
    values = {graph.input.name: 1.0} | dict.fromkeys(stream, residual)
    normalised, scores = {}, {}
    for op in graph.ops:
        match op:
            case Attention():
                scores[op.name] = scale(f"{op.name}.scores", INT8_MAX, settings.percentile)
            case FusedLinear() if op.epsilon is not None:
                normalised[op.name] = scale(f"{op.name}.normalised", INT8_MAX, settings.percentile)
        if isinstance(op, TakeToken):
            values[op.output] = values[op.input]
        elif op.output == graph.output:
            values[op.output] = scale(op.output, INT16_MAX, 100.0, RESIDUAL_MARGIN)
        elif op.output not in values:
            values[op.output] = scale(op.output, INT8_MAX, settings.percentile)
    return Scales(values, normalised, scores)
