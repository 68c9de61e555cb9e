# SPDX-License-Identifier: Apache-2.0
"""How many rows each value has, and which of them anything ever reads."""

from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    PatchEmbedding,
    TakeToken,
    Tokens,
    inputs_of,
)


def row_counts(graph: Graph, patches: int, tokens: int) -> dict[str, int]:
    """Rows of every value of one image."""
    rows = {graph.input.name: patches}
    for op in graph.ops:
        match op:
            case PatchEmbedding():
                rows[op.output] = patches
            case Tokens():
                rows[op.output] = tokens
            case TakeToken():
                rows[op.output] = 1
            case Attention():
                rows[op.output] = rows[op.query]
            case FusedLinear():
                rows[op.output] = rows[op.input]
    return rows


def single_rows(graph: Graph) -> dict[str, int]:
    """Values of which one row alone is needed, with that row's index.

    A network that classifies from its class token needs, in its last block, the other tokens'
    keys and values only; dropping the rest changes no result.
    """
    needed: dict[str, set[int | None]] = {graph.output: {None}}
    for op in reversed(graph.ops):
        rows = needed.get(op.output, {None})
        for name in inputs_of(op):
            wanted: set[int | None] = rows
            if isinstance(op, TakeToken):
                wanted = {op.index}
            elif isinstance(op, Attention) and name in (op.key, op.value):
                wanted = {None}
            needed.setdefault(name, set()).update(wanted)
    return {
        name: row
        for name, rows in needed.items()
        if len(rows) == 1 and (row := next(iter(rows))) is not None
    }
