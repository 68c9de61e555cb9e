# SPDX-License-Identifier: Apache-2.0
"""Names for operations that a person can find again in the source of the model."""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from hwgen.ir.graph import Op

_SCOPES = "pkg.torch.onnx.name_scopes"


def label(node: ir.Node) -> str:
    """The module ``node`` was exported from, as far as the file says; else the node's own name."""
    try:
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))
        module = str(scopes[-2])
    except (ValueError, SyntaxError, IndexError, TypeError):
        module = ""
    return module or node.name or value_name(node)


def value_name(node: ir.Node) -> str:
    """The name of the first output of ``node``."""
    return str(node.outputs[0].name)


def unique_names(ops: Sequence[Op]) -> tuple[Op, ...]:
    """Numbers the second and later operations of one name."""
    seen: Counter[str] = Counter()
    named: list[Op] = []
    for op in ops:
        seen[op.name] += 1
        count = seen[op.name]
        named.append(op if count == 1 else replace(op, name=f"{op.name}_{count}"))
    return tuple(named)
