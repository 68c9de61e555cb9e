# SPDX-License-Identifier: Apache-2.0
"""Sums and products, element by element: residuals, biases, embeddings and scales."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from hwgen.frontend.builder import Builder
from hwgen.frontend.names import given_name, label, value_name
from hwgen.frontend.operands import constant_at, view_at
from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Known, Matrix, Pixels, Scores, View, spread
from hwgen.ir.graph import Add, LayerNorm, Linear, Op, PatchEmbedding, Scale, Tokens


def add(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    left, right = operands
    if isinstance(left, View) and isinstance(right, View):
        return _residual(builder, node, left, right)
    if isinstance(left, View) and isinstance(right, np.ndarray):
        return _add_constant(builder, node, left, right)
    if isinstance(left, np.ndarray) and isinstance(right, View):
        return _add_constant(builder, node, right, left)
    raise Refused("it does not add tokens")


def sub(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return _add_constant(builder, node, view_at(operands, 0), -constant_at(operands, 1))


def mul(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    left, right = operands
    if isinstance(left, View) and isinstance(right, np.ndarray):
        return _multiply(builder, node, left, right)
    if isinstance(left, np.ndarray) and isinstance(right, View):
        return _multiply(builder, node, right, left)
    raise Refused("a product of two activations", "hwgen has no gates; use the exact GELU")


def div(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    with np.errstate(divide="ignore"):
        reciprocal = 1 / constant_at(operands, 1).astype(np.float64)
    return _multiply(builder, node, view_at(operands, 0), reciprocal)


def _residual(builder: Builder, node: ir.Node, left: View, right: View) -> View:
    if left.shape != right.shape:
        raise Refused(f"it adds values of shapes {left.shape} and {right.shape}")
    names = builder.matrix(left).name, builder.matrix(right).name
    return builder.view(Add(label(node), *names, value_name(node)), left.shape)


def _add_constant(builder: Builder, node: ir.Node, x: View, constant: np.ndarray) -> View:
    """A bias, the position embedding, or a mask of zeros."""
    if isinstance(x.source, Scores):
        if constant.any():
            raise Refused("an attention mask", "every token must attend to all tokens")
        return x
    rows = spread(x, np.asarray(constant / x.factor, np.float32), builder.batch)
    if rows is None or not isinstance(x.source, Matrix):
        raise Refused(f"it adds a constant of shape {constant.shape} to a value of {x.shape}")
    producer = builder.producer(x.source)
    name, output = label(node), value_name(node)
    op: Op
    match producer:
        case Linear() | PatchEmbedding() if (rows == rows[0]).all():
            op = replace(producer, name=name, output=output, bias=producer.bias + rows[0])
        case LayerNorm() if (rows == rows[0]).all():
            op = replace(producer, name=name, output=output, beta=producer.beta + rows[0])
        case Tokens():
            op = replace(producer, output=output, position=producer.position + rows)
        case PatchEmbedding():
            none = np.zeros((0, x.source.columns), np.float32)
            op = Tokens(given_name(node) or "tokens", producer.output, output, none, rows)
        case _:
            raise Refused(
                f"it adds a constant of shape {constant.shape} to the output of '{producer.name}'",
                "only a bias after a Linear or LayerNorm and a position embedding before the "
                "first block may be added",
            )
    return replace(x, source=builder.emit(op, x.source.rows, x.source.columns))


def _multiply(builder: Builder, node: ir.Node, x: View, constant: np.ndarray) -> View:
    """A scalar factor, the gamma of a LayerNorm, or LayerScale."""
    if isinstance(x.source, Pixels):
        raise Refused(
            "arithmetic on the pixels",
            "leave it out of the model and give hwgen the mean and standard deviation",
        )
    if not np.isfinite(constant).all():
        raise Refused("a factor that is not finite")
    if constant.size == 1 and constant.ndim <= len(x.shape) and constant.item() != 0:
        return replace(x, factor=x.factor * float(constant.item()))
    rows = spread(x, constant.astype(np.float32), builder.batch)
    if rows is None or not isinstance(x.source, Matrix) or not (rows == rows[0]).all():
        raise Refused(
            f"it multiplies a value of shape {x.shape} by a constant of shape {constant.shape}",
            "a factor is a scalar, or a vector with one number per column (LayerScale)",
        )
    producer = builder.producer(x.source)
    op: Op
    if isinstance(producer, LayerNorm):
        gamma, beta = producer.gamma * rows[0], producer.beta * rows[0]
        op = replace(producer, name=label(node), output=value_name(node), gamma=gamma, beta=beta)
    else:
        op = Scale(label(node), producer.output, value_name(node), rows[0])
    return replace(x, source=builder.emit(op, x.source.rows, x.source.columns))
