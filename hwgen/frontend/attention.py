# SPDX-License-Identifier: Apache-2.0
"""Multi-head attention, recognised by which elements meet in its two products."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from hwgen.frontend.builder import Builder
from hwgen.frontend.names import given_name, label, shared_parent, value_name
from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Known, Matrix, Probabilities, Scores, View, in_order
from hwgen.ir.graph import Attention


def scores(builder: Builder, query: View, key: View) -> View:
    """``Q K^T``: query (..., rows, size) times key (..., size, rows), one matrix per head.

    Raises Refused when the operands are not heads of two matrices.
    """
    key = replace(key, index=key.index.swapaxes(-1, -2))
    heads = _heads(builder, query)
    if heads != _heads(builder, key):
        raise Refused(f"query and key have different heads: {query.shape} and {key.shape}")
    source = Scores(
        _joined(builder, replace(query, factor=1.0), "query"),
        _joined(builder, replace(key, factor=1.0), "key"),
        heads,
        query.factor * key.factor,
    )
    return in_order(source, (*query.shape[:-1], key.shape[-2]))


def softmax(view: View, axis: int) -> View:
    """Softmax over the key rows. Raises Refused for anything else."""
    if not isinstance(view.source, Scores):
        raise Refused("a softmax outside attention", "export the logits, and no softmax after them")
    if axis not in (-1, len(view.shape) - 1) or not view.in_order:
        raise Refused("a softmax that does not run over the keys of one query")
    scaled = replace(view.source, scale=view.source.scale * view.factor)
    return View(Probabilities(scaled), view.index)


def mix(builder: Builder, node: ir.Node, probabilities: View, value: View) -> View:
    """``softmax(Q K^T) V``: emits the Attention. Raises Refused when the heads do not fit."""
    assert isinstance(probabilities.source, Probabilities)
    parts = probabilities.source.scores
    if not probabilities.in_order or probabilities.factor != 1.0:
        raise Refused("the attention weights are changed after their softmax")
    if _heads(builder, value) != parts.heads:
        raise Refused(f"the value has other heads than query and key: {value.shape}")
    columns = _joined(builder, value, "value")
    makers = [builder.producer(made).name for made in (parts.query, parts.key, columns)]
    op = Attention(
        given_name(node) or shared_parent(makers) or label(node),
        parts.query.name,
        parts.key.name,
        columns.name,
        value_name(node),
        parts.heads,
        parts.scale,
    )
    rows, size = parts.query.rows, value.shape[-1]
    output = builder.view(op, (builder.batch, rows, columns.columns))
    heads = output.index.reshape(builder.batch, rows, parts.heads, size).transpose(0, 2, 1, 3)
    return replace(output, index=heads.reshape(*probabilities.shape[:-1], size))


def whole(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """The Attention operator of operator set 23, without mask, past or soft cap.

    Operands are (batch, heads, rows, size), or (batch, rows, heads * size) with the number of
    heads as an attribute. Raises Refused for any other form.
    """
    views = [operand for operand in operands if isinstance(operand, View)]
    others = [operand for operand in operands if operand is not None]
    if len(views) != 3 or len(others) != 3:
        raise Refused("attention with a mask or with past keys", "leave them out")
    attributes = node.attributes
    if attributes.get_int("is_causal", 0) or attributes.get_float("softcap", 0):
        raise Refused("causal or soft-capped attention", "every token must attend to all tokens")
    flat = len(views[0].shape) == 3
    if flat:
        counts = [attributes.get_int(f"{name}_num_heads", 0) for name in ("q", "kv", "kv")]
        views = [_split(view, heads) for view, heads in zip(views, counts, strict=True)]
    query, key, value = views
    scale = attributes.get_float("scale", 0) or 1 / math.sqrt(query.shape[-1])
    product = scores(builder, query, replace(key, index=key.index.swapaxes(-1, -2)))
    weights = softmax(replace(product, factor=scale), -1)
    mixed = mix(builder, node, weights, value)
    if not flat:
        return mixed
    merged = mixed.index.swapaxes(1, 2)
    return replace(mixed, index=merged.reshape(*merged.shape[:2], -1))


def _split(view: View, heads: int) -> View:
    """(batch, rows, heads * size) to (batch, heads, rows, size)."""
    if not heads or view.shape[-1] % heads:
        raise Refused(f"{heads} heads do not divide {view.shape[-1]} columns")
    index = view.index.reshape(*view.shape[:2], heads, -1).swapaxes(1, 2)
    return replace(view, index=index)


def _heads(builder: Builder, view: View) -> int:
    """How many heads per image ``view`` (..., rows, size) holds."""
    matrices = int(np.prod(view.shape[:-2]))
    if not isinstance(view.source, Matrix) or len(view.shape) < 3 or matrices % builder.batch:
        raise Refused(
            "a product of two activations that is not attention between heads",
            "attention is softmax(Q K^T) V with Q, K and V from Linear layers",
        )
    return matrices // builder.batch


def _joined(builder: Builder, view: View, role: str) -> Matrix:
    """The heads in ``view`` (..., rows, size) side by side as the columns of one matrix."""
    *_, rows, size = view.shape
    heads = view.index.reshape(builder.batch, -1, rows, size)
    columns = heads.transpose(0, 2, 1, 3).reshape(builder.batch, rows, -1)
    return builder.matrix(replace(view, index=columns), role)
