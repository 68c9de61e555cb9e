# SPDX-License-Identifier: Apache-2.0
"""Walks the nodes of an ONNX model in order and builds the Graph."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from hwgen.errors import ModelError
from hwgen.frontend.builder import Builder
from hwgen.frontend.constants import run_node
from hwgen.frontend.handlers import HANDLERS
from hwgen.frontend.names import unique_names
from hwgen.frontend.refusal import Refusal, Refused, model_error, unknown_operator
from hwgen.frontend.values import Known, Matrix, Pixels, Unknown, View, in_order
from hwgen.ir.edit import live
from hwgen.ir.graph import Graph, ImageInput

# Operators that only arrange elements: applied to a view's index as they stand.
_ARRANGING = frozenset(
    {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather"}
    | {"Identity", "Expand"}
)

# Operators that read a tensor's shape and nothing else.
_MEASURING = frozenset({"Shape", "Size"})


def translate(
    model: ir.Model, name: str, image: ImageInput, batch: int, classes: tuple[str, ...]
) -> Graph:
    """The Graph that computes what ``model`` does on ``batch`` images.

    Raises ModelError that lists every node hwgen cannot take, or says what is wrong with the
    output or with the class names.
    """
    builder = Builder(batch, image.name)
    shape = (batch, image.channels, image.height, image.width)
    known: dict[ir.Value, Known] = {
        value: value.const_value.numpy()
        for value in model.graph.initializers.values()
        if value.const_value is not None
    }
    inputs = [value for value in model.graph.inputs if value not in known]
    known.update({value: in_order(Pixels(), shape) for value in inputs})
    refusals: list[Refusal] = []
    for node in model.graph:
        operands = [None if value is None else known[value] for value in node.inputs]
        try:
            outputs = _translate_node(builder, node, operands, model.opset_imports)
        except Refused as refused:
            label = node.name or str(node.outputs[0].name)
            refusals.append(Refusal(label, node.op_type, refused.why, refused.instead))
            outputs = [Unknown()] * len(node.outputs)
        known.update(zip(node.outputs, outputs, strict=True))
    if refusals:
        raise model_error(name, refusals)
    output = _output_matrix(builder, name, known[model.graph.outputs[0]])
    if classes and len(classes) != output.columns:
        raise ModelError(
            f"{name}: the metadata hwgen.classes names {len(classes)} classes, but the model has "
            f"{output.columns} logits; give one name per logit, with commas between them."
        )
    ops = unique_names(live(builder.ops, output.name))
    return Graph(name, image, ops, output.name, classes)


def _translate_node(
    builder: Builder, node: ir.Node, operands: list[Known], opsets: Mapping[str, int]
) -> list[Known]:
    """What is known of the outputs of ``node``. Raises Refused."""
    if any(isinstance(operand, Unknown) for operand in operands):
        return [Unknown()] * len(node.outputs)
    arrays = [o for o in operands if o is None or isinstance(o, np.ndarray)]
    if len(arrays) == len(operands):
        return list(_run(node, arrays, opsets))
    first = operands[0]
    if isinstance(first, View) and len(arrays) == len(operands) - 1:
        if node.op_type in _MEASURING:
            return list(_run(node, [first.index], opsets))
        if node.op_type in _ARRANGING:
            indices = _run(node, [first.index, *arrays], opsets)
            return [replace(first, index=index) for index in indices]
    if any(extra.uses() for extra in node.outputs[1:]):
        raise Refused("outputs beyond its first are used")
    handler = HANDLERS.get((node.domain, node.op_type))
    if handler is None:
        raise unknown_operator(node)
    unused = [Unknown() for _ in node.outputs[1:]]
    return [handler(builder, node, operands), *unused]


def _run(
    node: ir.Node, arrays: Sequence[np.ndarray | None], opsets: Mapping[str, int]
) -> list[np.ndarray]:
    try:
        return run_node(node, arrays, dict(opsets))
    except Exception as error:  # whatever the reference implementation meets in a damaged node
        raise Refused(f"it fails on the shapes and constants it is given ({error})") from error


def _output_matrix(builder: Builder, name: str, output: Known) -> Matrix:
    """The graph's output: one row of logits per image."""
    try:
        if not isinstance(output, View):
            raise Refused("it does not depend on the image")
        matrix = builder.matrix(output)
        if matrix.rows != 1:
            raise Refused(f"it has {matrix.rows} rows per image, not one row of logits")
    except Refused as refused:
        raise ModelError(
            f"{name}: hwgen cannot take the model's output: {refused.why}. Export a classifier "
            "that returns its logits, without a softmax."
        ) from refused
    return matrix
