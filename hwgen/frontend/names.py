# SPDX-License-Identifier: Apache-2.0
"""Names for operations that a person can find again in the source of the model."""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from hwgen.ir.graph import Op

NAME_KEY = "hwgen.name"
"""Metadata of a node that names the operation it belongs to, as ``write_onnx`` notes it down."""

_SCOPES = "pkg.torch.onnx.name_scopes"


def label(node: ir.Node) -> str:
    """The module that ``node`` was exported from, as far as the file says; else its own name."""
    return (
        given_name(node)
        or _scope(node)
        or _module_of_parameter(node)
        or str(node.name or value_name(node))
    )


def given_name(node: ir.Node) -> str:
    """The name that the file gives the operation outright; empty where it does not."""
    return node.metadata_props.get(NAME_KEY, "")


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


def part_name(whole: str, role: str) -> str:
    """A name for the part of ``whole`` that plays ``role``: a.qkv becomes a.query."""
    return f"{_parent(whole) or whole}.{role}"


def shared_parent(names: Sequence[str]) -> str:
    """The module that all of ``names`` lie in directly; empty where there is none."""
    parents = {_parent(name) for name in names}
    return parents.pop() if len(parents) == 1 else ""


def _scope(node: ir.Node) -> str:
    """What torch notes down about the module; empty where it did not."""
    try:
        return str(ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))[-2])
    except (ValueError, SyntaxError, IndexError, TypeError):
        return ""


def _module_of_parameter(node: ir.Node) -> str:
    """The module whose parameter is an operand of ``node``, by the parameter's name."""
    parameters = (str(v.name) for v in node.inputs if v is not None and v.is_initializer())
    return next(filter(None, map(_parent, parameters)), "")


def _parent(name: str) -> str:
    """Everything before the last dot of a module's name; empty for a name of another style."""
    return "" if "/" in name else name.rpartition(".")[0]
