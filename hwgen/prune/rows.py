# SPDX-License-Identifier: Apache-2.0
"""Values of a Graph of which one row alone is needed."""

from hwgen.ir.graph import Add, Attention, Gelu, Graph, LayerNorm, Linear, Op, Scale, TakeToken

ROW_WISE = (LayerNorm, Linear, Gelu, Scale)
"""Operations that treat each row alone."""


def single_rows(graph: Graph) -> dict[str, int]:
    """Names of the values of which one row alone is read, with the index of that row.

    These lead from the last attention to the head: the class token's row is all that the
    classification needs of them.
    """
    single: dict[str, int] = {}
    for op in reversed(graph.ops):
        if not isinstance(op, (*ROW_WISE, Add, Attention)):
            continue
        rows = {_row_read(c, op.output, single) for c in graph.consumers(op.output)}
        if len(rows) == 1 and (row := rows.pop()) is not None:
            single[op.output] = row
    return single


def _row_read(op: Op, value: str, single: dict[str, int]) -> int | None:
    """The one row of ``value`` that ``op`` reads; None where it reads more."""
    match op:
        case TakeToken():
            return op.index
        case Add() | LayerNorm() | Linear() | Gelu() | Scale():
            return single.get(op.output)
        case Attention() if value not in (op.key, op.value):
            return single.get(op.output)
        case _:
            return None
