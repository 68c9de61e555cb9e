# SPDX-License-Identifier: Apache-2.0
"""Takes the class token before work that treats each row alone."""

from dataclasses import replace

from hwgen.ir.graph import Gelu, Graph, LayerNorm, Linear, Op, Scale, TakeToken

RowWise = LayerNorm | Linear | Gelu | Scale


def take_token_early(graph: Graph) -> Graph:
    """Moves each TakeToken before the LayerNorm, Linear, Gelu and Scale that lead to it.

    Exact, as these work row by row. It stops where a value is also read in full.
    """
    while (op := _movable(graph)) is not None:
        graph = _move(graph, op)
    return graph


def _movable(graph: Graph) -> RowWise | None:
    """An operation of which nothing but single rows are read."""
    for op in graph.ops:
        if isinstance(op, LayerNorm | Linear | Gelu | Scale) and op.output != graph.output:
            consumers = graph.consumers(op.output)
            if consumers and all(isinstance(c, TakeToken) for c in consumers):
                return op
    return None


def _move(graph: Graph, moved: RowWise) -> Graph:
    """Replaces ``moved`` and its TakeTokens by, for each, a TakeToken and a copy of ``moved``."""
    takes = [op for op in graph.consumers(moved.output) if isinstance(op, TakeToken)]
    ops: list[Op] = []
    for op in graph.ops:
        if op is moved:
            for take in takes:
                row = f"{take.output}.before.{moved.name}"
                name = moved.name if len(takes) == 1 else f"{moved.name}.{take.name}"
                ops.append(replace(take, input=moved.input, output=row))
                ops.append(replace(moved, name=name, input=row, output=take.output))
        elif op not in takes:
            ops.append(op)
    return replace(graph, ops=tuple(ops))
