# SPDX-License-Identifier: Apache-2.0
"""Token selectors in ONNX: a call of the function ``hwgen.TokenSelector``, whose body any runtime
can execute.

Inputs are the tokens, (1, rows, columns), and the arrays of ``TokenSelector`` in the order of
``WEIGHTS``; attributes are its other fields, ``limit`` -1 where there is none. Row counts differ
between images, so such a model takes one image at a time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from hwgen.errors import ModelError
from hwgen.frontend.builder import Builder
from hwgen.frontend.names import label, value_name
from hwgen.frontend.operands import constant_at, view_at
from hwgen.frontend.refusal import Refused
from hwgen.frontend.values import Known, View
from hwgen.ir.graph import TokenSelector
from hwgen.ir.selector import fault, most_rows

DOMAIN, OPERATOR = "hwgen", "TokenSelector"
OPSET = 20
"""The ONNX operator set that the function's body is written in."""

WEIGHTS = (
    "gamma",
    "beta",
    "local_weight",
    "local_bias",
    "hidden1_weight",
    "hidden1_bias",
    "hidden2_weight",
    "hidden2_bias",
    "score_weight",
    "score_bias",
    "importance_hidden_weight",
    "importance_hidden_bias",
    "importance_weight",
    "importance_bias",
)

_KINDS = {
    "heads": ir.AttributeType.INT,
    "epsilon": ir.AttributeType.FLOAT,
    "activation": ir.AttributeType.STRING,
    "threshold": ir.AttributeType.FLOAT,
    "prefix": ir.AttributeType.INT,
    "packages": ir.AttributeType.INT,
    "package": ir.AttributeType.STRING,
    "limit": ir.AttributeType.INT,
}
_AGAIN = "hwgen.frontend.write_onnx writes selectors as hwgen reads them"


def _layer(name: str, source: str) -> str:
    """Every head's linear layer ``name`` of ``source`` with the activation, in ONNX's text form."""
    return f"""\
  {name}_weight_t = Transpose <perm = [0, 2, 1]> ({name}_weight)
  {name}_bias_rows = Unsqueeze ({name}_bias, one)
  {name}_product = MatMul ({source}, {name}_weight_t)
  {name}_sum = Add ({name}_product, {name}_bias_rows)
  {name}_relu = Relu ({name}_sum)
  {name}_gelu = Gelu ({name}_sum)
  {name} = Where (relu, {name}_relu, {name}_gelu)"""


_BODY = f"""
<domain: "{DOMAIN}", opset_import: ["": {OPSET}]>
{OPERATOR} <{", ".join(_KINDS)}> (tokens, {", ".join(WEIGHTS)}) => (selected)
{{
  zero = Constant <value_int = 0> ()
  none = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  any = Constant <value_ints = [-1]> ()
  relu_name = Constant <value_string = "relu"> ()
  activation_name = Constant <value_string: string = @activation> ()
  relu = Equal (activation_name, relu_name)

  normal = LayerNormalization <axis = -1, epsilon: float = @epsilon> (tokens, gamma, beta)
  heads_count = Shape <start = 0, end = 1> (local_weight)
  size = Shape <start = 2, end = 3> (local_weight)
  head_shape = Concat <axis = 0> (any, heads_count, size)
  split = Reshape (normal, head_shape)
  parts = Transpose <perm = [1, 0, 2]> (split)

{_layer("local", "parts")}
  mean = ReduceMean (local, one)
  local_shape = Shape (local)
  mean_rows = Expand (mean, local_shape)
  both = Concat <axis = 2> (local, mean_rows)

{_layer("hidden1", "both")}

{_layer("hidden2", "hidden1")}

  score_weight_t = Transpose <perm = [0, 2, 1]> (score_weight)
  score_bias_rows = Unsqueeze (score_bias, one)
  score_product = MatMul (hidden2, score_weight_t)
  logits = Add (score_product, score_bias_rows)
  probabilities = Softmax <axis = 2> (logits)
  keep = Gather <axis = 2> (probabilities, zero)

  last = Constant <value_ints = [2]> ()
  pooled = ReduceMean <keepdims = 0> (parts, last)
  pooled_rows = Transpose <perm = [1, 0]> (pooled)
  importance_hidden_weight_t = Transpose <perm = [1, 0]> (importance_hidden_weight)
  importance_hidden_product = MatMul (pooled_rows, importance_hidden_weight_t)
  importance_hidden_sum = Add (importance_hidden_product, importance_hidden_bias)
  importance_hidden_relu = Relu (importance_hidden_sum)
  importance_hidden_gelu = Gelu (importance_hidden_sum)
  importance_hidden = Where (relu, importance_hidden_relu, importance_hidden_gelu)
  importance_weight_t = Transpose <perm = [1, 0]> (importance_weight)
  importance_product = MatMul (importance_hidden, importance_weight_t)
  importance_logit = Add (importance_product, importance_bias)
  sigmoid = Sigmoid (importance_logit)
  least = Constant <value_float = 0.001953125> ()
  importance_rows = Max (sigmoid, least)
  importance = Transpose <perm = [1, 0]> (importance_rows)

  threshold_value = Constant <value_float: float = @threshold> ()
  margin = Sub (keep, threshold_value)
  weighted = Mul (importance, margin)
  fused = ReduceSum <keepdims = 0> (weighted, none)
  zero_score = Constant <value_float = 0.0> ()
  informative = Greater (fused, zero_score)

  count_vector = Shape <start = 1, end = 2> (tokens)
  count = Squeeze (count_vector)
  step = Constant <value_int = 1> ()
  position = Range (zero, count, step)
  prefix_value = Constant <value_int: int = @prefix> ()
  packages_value = Constant <value_int: int = @packages> ()
  end = Sub (count, packages_value)
  is_class = Less (position, prefix_value)
  is_package = GreaterOrEqual (position, end)
  is_special = Or (is_class, is_package)
  is_token = Not (is_special)
  candidate = And (informative, is_token)
  candidate_number = Cast <to = 7> (candidate)
  rank = CumSum (candidate_number, zero)
  limit_value = Constant <value_int: int = @limit> ()
  within_limit = LessOrEqual (rank, limit_value)
  unlimited = Less (limit_value, zero)
  allowed = Or (within_limit, unlimited)
  kept_token = And (candidate, allowed)
  kept_name = Constant <value_string = "kept"> ()
  package_name = Constant <value_string: string = @package> ()
  keeps_packages = Equal (package_name, kept_name)
  kept_package = And (is_package, keeps_packages)
  kept_special = Or (is_class, kept_package)
  kept = Or (kept_token, kept_special)

  matrix = Squeeze (tokens, none)
  kept_rows = Compress <axis = 0> (matrix, kept)
  dropped = Not (kept)
  dropped_number = Cast <to = 1> (dropped)
  dropped_row = Unsqueeze (dropped_number, none)
  dropped_sum = MatMul (dropped_row, matrix)
  dropped_count = ReduceSum (dropped_number, none)
  one_row = Constant <value_float = 1.0> ()
  divisor = Max (dropped_count, one_row)
  package_row = Div (dropped_sum, divisor)
  rows = Concat <axis = 0> (kept_rows, package_row)
  selected = Unsqueeze (rows, none)
}}
"""


def selector_function() -> onnx.FunctionProto:
    """The function ``hwgen.TokenSelector``, in operators of standard ONNX."""
    return onnx.parser.parse_function(_BODY)


def attributes_of(op: TokenSelector) -> dict[str, Any]:
    """The attributes of the call that stands for ``op``."""
    attributes = {name: getattr(op, name) for name in _KINDS}
    return attributes | {"limit": -1 if op.limit is None else op.limit}


def is_selector(domain: str, name: str) -> bool:
    """Whether a node or function of that name is a token selector."""
    return (domain, name) == (DOMAIN, OPERATOR)


def check_batch(model: ir.Model, path: Path) -> None:
    """Raises ModelError when a ``model`` with token selectors takes other than one image."""
    if not any(is_selector(node.domain, node.op_type) for node in model.graph):
        return
    value = next(v for v in model.graph.inputs if v.name not in model.graph.initializers)
    batch = value.shape[0] if value.shape is not None else None
    if batch != 1:
        found = batch if isinstance(batch, int) else f"dynamic ('{batch}')"
        raise ModelError(
            f"{path}: the model has token selectors, so that images differ in their number of "
            f"tokens, but the batch of input '{value.name}' is {found}. Export it with a batch "
            "of 1."
        )


def token_selector(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """The handler of a call of the function. Raises Refused when it is no sound selector."""
    if len(operands) != 1 + len(WEIGHTS):
        raise Refused(
            f"it has {len(operands)} inputs; a token selector has {1 + len(WEIGHTS)}: the tokens, "
            f"{', '.join(WEIGHTS)}",
            _AGAIN,
        )
    x = view_at(operands, 0)
    arrays: dict[str, Any] = {
        name: constant_at(operands, position).astype(np.float32)
        for position, name in enumerate(WEIGHTS, 1)
    }
    fields = {name: _attribute(node, name, kind) for name, kind in _KINDS.items()}
    if fields["limit"] < 0:
        fields["limit"] = None
    matrix = builder.matrix(x)
    op = TokenSelector(
        name=label(node), input=matrix.name, output=value_name(node), **arrays, **fields
    )
    wrong = fault(op, matrix.rows, matrix.columns)
    if wrong is not None:
        raise Refused(wrong, _AGAIN)
    return builder.view(op, (builder.batch, most_rows(op, matrix.rows), matrix.columns))


def _attribute(node: ir.Node, name: str, kind: ir.AttributeType) -> Any:
    attribute = node.attributes.get(name)
    if attribute is None:
        raise Refused(f"its attribute '{name}' is missing", _AGAIN)
    if attribute.type != kind:
        raise Refused(f"its attribute '{name}' is {attribute.type.name}, not {kind.name}", _AGAIN)
    return attribute.value
