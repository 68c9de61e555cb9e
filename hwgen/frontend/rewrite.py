# SPDX-License-Identifier: Apache-2.0
"""Puts an ONNX model into the form the translator reads.

Functions are inlined, but for token selectors, and nodes without effect removed. A LayerNorm or
GELU that an exporter has spelled out in arithmetic becomes one node again, in hwgen's own domain:

- ``hwgen.Normalize(x)``, attributes ``epsilon`` and ``axis``: mean 0, variance 1, no affine part;
- ``hwgen.Gelu(x)``: the exact GELU.
"""

import math
from collections.abc import Callable
from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import (
    InlinePass,
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
)
from onnxscript.rewriter import RewriteRule, RewriteRuleSet, pattern

from hwgen.frontend.selector import DOMAIN, is_selector

_Build = Callable[[Any], Any]


# The rewriter gives operator builders and pattern values no public types, hence Any.


def _times_reciprocal(op: Any, x: Any, y: Any) -> Any:
    return op.Mul(x, op.Reciprocal(y))


def _replace_quotient(op: Any, x: Any, y: Any) -> Any:
    return op.Div(x, y)


# The exact GELU, by where its factor 1/2 stands; the rule set tries each with operands swapped.


def _one_plus_erf(op: Any, x: Any) -> Any:
    scaled = pattern.OrValue([op.Div(x, math.sqrt(2)), op.Mul(x, math.sqrt(0.5))])
    return op.Add(op.Erf(scaled), 1.0)


def _half_outside(op: Any, x: Any) -> Any:
    return op.Mul(op.Mul(x, _one_plus_erf(op, x)), 0.5)


def _half_with_input(op: Any, x: Any) -> Any:
    return op.Mul(op.Mul(x, 0.5), _one_plus_erf(op, x))


def _half_with_erf(op: Any, x: Any) -> Any:
    return op.Mul(x, op.Mul(_one_plus_erf(op, x), 0.5))


def _replace_gelu(op: Any, x: Any) -> Any:
    return op.Gelu(x, _domain=DOMAIN)


# The normalisation inside LayerNorm; its axis is an attribute before operator set 18.


def _axis_attribute(op: Any, x: Any, epsilon: Any) -> Any:
    return _normalize(
        op,
        x,
        epsilon,
        lambda v: op.ReduceMean(v, axes=pattern.AttrVar("axis")),
        lambda v: op.ReduceMean(v, axes=pattern.AttrVar("square_axis")),
    )


def _axis_input(op: Any, x: Any, epsilon: Any, axis: Any, square_axis: Any) -> Any:
    return _normalize(
        op,
        x,
        epsilon,
        lambda v: op.ReduceMean(v, axis),
        lambda v: op.ReduceMean(v, square_axis),
    )


def _normalize(op: Any, x: Any, epsilon: Any, mean: _Build, mean_square: _Build) -> Any:
    centred = op.Sub(x, mean(x))
    square = pattern.OrValue([op.Pow(centred, 2), op.Mul(centred, centred)])
    return op.Div(centred, op.Sqrt(op.Add(mean_square(square), epsilon)))


def _replace_normalize(op: Any, x: Any, epsilon: Any, axis: Any, square_axis: Any) -> Any:
    axes = {_single_integer(axis), _single_integer(square_axis)}
    constant = epsilon.const_value
    if None in axes or len(axes) != 1 or constant is None or constant.size != 1:
        return None
    return op.Normalize(x, epsilon=float(constant.numpy().item()), axis=axes.pop(), _domain=DOMAIN)


def _single_integer(axes: ir.Value | ir.Attr) -> int | None:
    """The one axis in an attribute or constant input; None where it is not one."""
    if isinstance(axes, ir.Attr):
        numbers = list(axes.as_ints())
    else:
        numbers = [] if axes.const_value is None else axes.const_value.numpy().ravel().tolist()
    return int(numbers[0]) if len(numbers) == 1 else None


_QUOTIENT = [RewriteRule(_times_reciprocal, _replace_quotient)]
_GELU = [
    RewriteRule(half, _replace_gelu) for half in (_half_outside, _half_with_input, _half_with_erf)
]
_NORMALIZE = [RewriteRule(axis, _replace_normalize) for axis in (_axis_attribute, _axis_input)]


def rewrite(model: ir.Model) -> None:
    """Simplifies ``model`` in place; what it cannot simplify it leaves as it is."""
    InlinePass(lambda function: not is_selector(function.domain, function.name))(model)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    RewriteRuleSet(_QUOTIENT, commute=True).apply_to_model(model)
    RewriteRuleSet(_GELU, commute=True).apply_to_model(model)
    RewriteRuleSet(_NORMALIZE, commute=True).apply_to_model(model)
    RemoveUnusedNodesPass()(model)
