# SPDX-License-Identifier: Apache-2.0
"""The one message about everything in a model that hwgen cannot take."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from hwgen.errors import ModelError

_SHOWN = 10


class Refused(Exception):
    """Raised inside the translator where a node cannot be taken: why, and what can be instead."""

    def __init__(self, why: str, instead: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


@dataclass(frozen=True)
class Refusal:
    """One node that cannot be taken."""

    node: str
    op_type: str
    why: str
    instead: str

    def __str__(self) -> str:
        advice = f"; {self.instead}" if self.instead else ""
        return f"{self.op_type} '{self.node}': {self.why}{advice}."


def model_error(model: str, refusals: Sequence[Refusal]) -> ModelError:
    """The error that lists ``refusals``, the first ten in full."""
    lines = [f"  {refusal}" for refusal in refusals[:_SHOWN]]
    if len(refusals) > _SHOWN:
        lines.append(f"  and {len(refusals) - _SHOWN} more.")
    count = "1 node" if len(refusals) == 1 else f"{len(refusals)} nodes"
    return ModelError("\n".join([f"{model}: hwgen cannot take {count} of the model:", *lines]))


def unknown_operator(node: ir.Node) -> Refused:
    """The refusal of an operator that no part of a vision transformer is made of."""
    if node.domain not in ("", "ai.onnx"):
        return Refused(
            f"operator of the domain '{node.domain}'",
            "export with the standard ONNX operators, before any runtime's own optimiser",
        )
    for operators, why, instead in _ADVICE:
        if node.op_type in operators:
            return Refused(why, instead)
    return Refused("hwgen has no such operation", _SUPPORTED)


_SUPPORTED = (
    "a model is made of patch embedding, class token, position embedding, Linear, LayerNorm, "
    "exact GELU, residual Add, LayerScale and softmax attention"
)

# Operators people meet in networks near to a vision transformer, and the nearest supported form.
_ADVICE: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Elu"})
        | {"Mish", "Softplus", "Tanh", "PRelu", "Selu", "Clip"},
        "hwgen has no such activation",
        "use the exact GELU (torch.nn.GELU())",
    ),
    (
        frozenset({"Pow"}),
        "hwgen takes a power only as the square in a LayerNorm",
        "where it belongs to the tanh approximation of GELU, use the exact GELU (torch.nn.GELU())",
    ),
    (
        frozenset({"Resize", "Upsample", "GridSample", "Pad"}),
        "hwgen has no resampling or padding",
        "feed images of the size the model wants and export with that size fixed",
    ),
    (
        frozenset({"BatchNormalization", "InstanceNormalization", "GroupNormalization"})
        | {"RMSNormalization", "LpNormalization", "SimplifiedLayerNormalization"},
        "hwgen has no such normalisation",
        "use LayerNorm over the last axis",
    ),
    (
        frozenset({"ReduceMean", "GlobalAveragePool", "AveragePool", "MaxPool", "ReduceMax"}),
        "hwgen has no pooling",
        "classify by the class token",
    ),
    (
        frozenset({"If", "Loop", "Scan"}),
        "hwgen has no control flow",
        "export for one fixed path",
    ),
    (
        frozenset({"QuantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "MatMulInteger"}),
        "the model is already quantised",
        "give the float model; hwgen quantises it itself",
    ),
)
