# SPDX-License-Identifier: Apache-2.0
"""Runs single ONNX nodes on known arrays, with the reference implementation of the ONNX project."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator


def run_node(
    node: ir.Node, inputs: Sequence[np.ndarray | None], opsets: dict[str, int]
) -> list[np.ndarray]:
    """The outputs of ``node`` on ``inputs``; None stands for an absent optional input."""
    proto = ir.to_proto(node)
    names = [f"input{i}" if array is not None else "" for i, array in enumerate(inputs)]
    del proto.input[:]
    proto.input.extend(names)
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if name}
    outputs = ReferenceEvaluator(proto, opsets=opsets).run(None, feeds)
    return [np.asarray(output) for output in outputs]
