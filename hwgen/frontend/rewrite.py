# SPDX-License-Identifier: Apache-2.0
"""Puts an ONNX model into the form the translator reads.

Functions are inlined and nodes without effect removed. A LayerNorm or GELU that an exporter has
spelled out in arithmetic becomes one node again, in hwgen's own domain:

- ``hwgen.Normalize(x)``, attributes ``epsilon`` and ``axis``: mean 0, variance 1, no affine part;
- ``hwgen.Gelu(x)``: the exact GELU.
"""

import math
from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes.common import (
    InlinePass,
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
    TopologicalSortPass,
)
from onnxscript.rewriter import RewriteRule, RewriteRuleSet, RewriterContext, pattern

DOMAIN = "hwgen"


def _times_reciprocal(op: pattern.OpsetPatternBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return op.Mul(x, op.Reciprocal(y))


def _replace_quotient(op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
    return op.Div(x, y)


# The exact GELU, by where its factor 1/2 stands; the rule set tries each with operands swapped.


def _one_plus_erf(op: pattern.OpsetPatternBuilder, x: ir.Value) -> ir.Value:
    scaled = pattern.OrValue([op.Div(x, math.sqrt(2)), op.Mul(x, math.sqrt(0.5))])
    return op.Add(op.Erf(scaled), 1.0)


def _half_outside(op: pattern.OpsetPatternBuilder, x: ir.Value) -> ir.Value:
    return op.Mul(op.Mul(x, _one_plus_erf(op, x)), 0.5)


def _half_with_input(op: pattern.OpsetPatternBuilder, x: ir.Value) -> ir.Value:
    return op.Mul(op.Mul(x, 0.5), _one_plus_erf(op, x))


def _half_with_erf(op: pattern.OpsetPatternBuilder, x: ir.Value) -> ir.Value:
    return op.Mul(x, op.Mul(_one_plus_erf(op, x), 0.5))


def _replace_gelu(op: RewriterContext, x: ir.Value) -> ir.Value:
    return op.Gelu(x, _domain=DOMAIN)


# The normalisation inside LayerNorm; the axis is an attribute before operator set 18, then an input.


def _axis_attribute(op: pattern.OpsetPatternBuilder, x: ir.Value, epsilon: ir.Value) -> ir.Value:
    return _normalize(op, x, epsilon, lambda v: op.ReduceMean(v, axes=pattern.AttrVar("axes")))


def _axis_input(
    op: pattern.OpsetPatternBuilder, x: ir.Value, epsilon: ir.Value, axes: ir.Value
) -> ir.Value:
    return _normalize(op, x, epsilon, lambda v: op.ReduceMean(v, axes))


def _normalize(
    op: pattern.OpsetPatternBuilder,
    x: ir.Value,
    epsilon: ir.Value,
    mean: Callable[[ir.Value], ir.Value],
) -> ir.Value:
    centred = op.Sub(x, mean(x))
    square = pattern.OrValue([op.Pow(centred, 2), op.Mul(centred, centred)])
    return op.Div(centred, op.Sqrt(op.Add(mean(square), epsilon)))


def _replace_normalize(
    op: RewriterContext, x: ir.Value, epsilon: ir.Value, axes: ir.Value | ir.Attr
) -> ir.Value | None:
    if isinstance(axes, ir.Attr):
        numbers = list(axes.as_ints())
    elif axes.const_value is not None:
        numbers = axes.const_value.numpy().ravel().tolist()
    else:
        return None
    if epsilon.const_value is None or epsilon.const_value.size != 1 or len(numbers) != 1:
        return None
    value = float(epsilon.const_value.numpy().item())
    return op.Normalize(x, epsilon=value, axis=int(numbers[0]), _domain=DOMAIN)


_QUOTIENT = [RewriteRule(_times_reciprocal, _replace_quotient)]
_GELU = [
    RewriteRule(half, _replace_gelu)
    for half in (_half_outside, _half_with_input, _half_with_erf)
]
_NORMALIZE = [
    RewriteRule(axis, _replace_normalize) for axis in (_axis_attribute, _axis_input)
]


def rewrite(model: ir.Model) -> None:
    """Simplifies ``model`` in place; what it cannot simplify it leaves as it is."""
    InlinePass()(model)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    RewriteRuleSet(_QUOTIENT, commute=True).apply_to_model(model)
    RewriteRuleSet(_GELU, commute=True).apply_to_model(model)
    RewriteRuleSet(_NORMALIZE, commute=True).apply_to_model(model)
    RemoveUnusedNodesPass()(model)
    TopologicalSortPass()(model)
