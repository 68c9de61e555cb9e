# SPDX-License-Identifier: Apache-2.0
"""Questions and small changes that the front end and the passes share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hwgen.ir.graph import Graph, Op, inputs_of


def sole_consumer(graph: Graph, value: str) -> Op | None:
    """The one operation that reads ``value``; None when several do, or when it is the output."""
    consumers = graph.consumers(value)
    return consumers[0] if len(consumers) == 1 and value != graph.output else None


def live(ops: Sequence[Op], output: str) -> tuple[Op, ...]:
    """The operations among ``ops`` that ``output`` depends on, in their order."""
    needed = {output}
    kept: list[Op] = []
    for op in reversed(ops):
        if op.output in needed:
            needed.update(inputs_of(op))
            kept.append(op)
    return tuple(reversed(kept))


def reading(op: Op, old: str, new: str) -> Op:
    """``op`` with the value ``new`` wherever it reads ``old``."""
    changes: dict[str, Any] = {field: new for field in _INPUTS if getattr(op, field, None) == old}
    return replace(op, **changes)


_INPUTS = ("input", "left", "right", "query", "key", "value", "second", "residual", "scores")
"""The fields that ``inputs_of`` names, over all operations."""
