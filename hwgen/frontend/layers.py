# SPDX-License-Identifier: Apache-2.0
"""Products with a constant matrix, normalisation and GELU."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from hwgen.frontend import attention
from hwgen.frontend.builder import Builder
from hwgen.frontend.names import label, value_name
from hwgen.frontend.operands import constant_at, optional_at, vector, view_at
from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Known, Probabilities, View
from hwgen.ir.graph import Gelu, LayerNorm, Linear


def mat_mul(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """A Linear without bias, or one of the two products of attention."""
    left, right = operands
    if isinstance(left, View) and isinstance(right, View):
        if isinstance(left.source, Probabilities):
            return attention.mix(builder, node, left, right)
        return attention.scores(builder, left, right)
    if not isinstance(left, View) or not isinstance(right, np.ndarray) or right.ndim != 2:
        raise Refused("not a product of tokens with a constant matrix on their right")
    return _linear(builder, node, left, right.T, None)


def gemm(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    weight, bias = constant_at(operands, 1), optional_at(operands, 2)
    if node.attributes.get_int("transA", 0):
        raise Refused("its left operand is transposed")
    if not node.attributes.get_int("transB", 0):
        weight = weight.T
    weight = weight * np.float32(node.attributes.get_float("alpha", 1.0))
    if bias is not None:
        bias = bias * np.float32(node.attributes.get_float("beta", 1.0))
    return _linear(builder, node, view_at(operands, 0), weight, bias)


def layer_normalization(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    x, gamma = view_at(operands, 0), constant_at(operands, 1)
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    axis = node.attributes.get_int("axis", -1)
    return _normalise(builder, node, x, axis, epsilon, gamma, optional_at(operands, 2))


def normalize(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    x = view_at(operands, 0)
    epsilon, axis = node.attributes.get_float("epsilon"), node.attributes.get_int("axis")
    return _normalise(builder, node, x, axis, epsilon, np.ones(x.shape[-1]), None)


def gelu(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    if node.attributes.get_string("approximate", "none") != "none":
        raise Refused("the tanh approximation of GELU", "use the exact GELU (torch.nn.GELU())")
    x = view_at(operands, 0)
    return builder.view(Gelu(label(node), builder.matrix(x).name, value_name(node)), x.shape)


def _linear(
    builder: Builder, node: ir.Node, x: View, weight: np.ndarray, bias: np.ndarray | None
) -> View:
    """``x @ weight.T + bias``."""
    op = Linear(
        label(node),
        builder.matrix(x).name,
        value_name(node),
        weight.astype(np.float32),
        vector(bias, len(weight)),
    )
    return builder.view(op, (*x.shape[:-1], len(weight)))


def _normalise(
    builder: Builder,
    node: ir.Node,
    x: View,
    axis: int,
    epsilon: float,
    gamma: np.ndarray,
    beta: np.ndarray | None,
) -> View:
    if axis not in (-1, len(x.shape) - 1):
        raise Refused(f"it normalises over axis {axis}", "use LayerNorm over the last axis")
    op = LayerNorm(
        label(node),
        builder.matrix(x).name,
        value_name(node),
        vector(gamma, x.shape[-1]),
        vector(beta, x.shape[-1]),
        epsilon,
    )
    return builder.view(op, x.shape)
