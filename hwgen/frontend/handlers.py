# SPDX-License-Identifier: Apache-2.0
"""What each ONNX operator that computes means for the Graph.

A handler gets the builder, the node and what is known of its inputs, at least one of them no
constant. It returns what is known of the node's first output, or raises Refused.
"""

from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir

from hwgen.frontend import attention, elementwise, embedding, layers, selector
from hwgen.frontend.builder import Builder
from hwgen.frontend.operands import view_at
from hwgen.frontend.refusal import Refused
from hwgen.frontend.rewrite import DOMAIN
from hwgen.frontend.values import Known, NanGuard, Probabilities, View

Handler = Callable[[Builder, ir.Node, Sequence[Known]], Known]


def _softmax(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return attention.softmax(view_at(operands, 0), node.attributes.get_int("axis", -1))


def _is_nan(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> NanGuard:
    if not isinstance(view_at(operands, 0).source, Probabilities):
        raise Refused("it looks for NaN in a value that is no softmax")
    return NanGuard()


def _where(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    """The guard some exporters put around softmax: a softmax is never NaN, so it is left out."""
    if not isinstance(operands[0], NanGuard):
        raise Refused("a choice between values", "hwgen has no masks")
    return view_at(operands, 2)


def _unchanged(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    return view_at(operands, 0)


def _cast(builder: Builder, node: ir.Node, operands: Sequence[Known]) -> View:
    target = ir.DataType(node.attributes.get_int("to"))
    if not target.is_floating_point():
        raise Refused(f"it rounds activations to {target}", "give the float model")
    return view_at(operands, 0)


HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("", "Add"): elementwise.add,
    ("", "Attention"): attention.whole,
    ("", "Cast"): _cast,
    ("", "Concat"): embedding.concat,
    ("", "Conv"): embedding.conv,
    ("", "Div"): elementwise.div,
    ("", "Dropout"): _unchanged,
    ("", "Gelu"): layers.gelu,
    ("", "Gemm"): layers.gemm,
    ("", "IsNaN"): _is_nan,
    ("", "LayerNormalization"): layers.layer_normalization,
    ("", "MatMul"): layers.mat_mul,
    ("", "Mul"): elementwise.mul,
    ("", "Softmax"): _softmax,
    ("", "Sub"): elementwise.sub,
    ("", "Where"): _where,
    (DOMAIN, "Gelu"): layers.gelu,
    (DOMAIN, "Normalize"): layers.normalize,
    (selector.DOMAIN, selector.OPERATOR): selector.token_selector,
}
