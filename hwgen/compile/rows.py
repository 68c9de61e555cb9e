# SPDX-License-Identifier: Apache-2.0
"""How many rows each value has, and which of them anything ever reads."""

from collections.abc import Mapping

import numpy as np

from hwgen.compile.selections import depths
from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    Op,
    PatchEmbedding,
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
    inputs_of,
)
from hwgen.ir.selections import selections
from hwgen.ir.selector import most_rows


def row_counts(graph: Graph, patches: int, tokens: int) -> dict[str, int]:
    """Rows of every value of one image; the most that it can have, where tokens are selected."""
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
            case TokenMean():
                rows[op.output] = 1
            case SelectTokens():
                rows[op.output] = most_rows(op, rows[op.input])
    return rows


def expected_rows(graph: Graph, rows: Mapping[str, int], images: np.ndarray) -> dict[str, float]:
    """Mean rows of every value over uint8 ``images`` (N, height, width, channels), by the float
    graph.
    """
    found = [[one.written for one in each] for each in selections(graph, images)]
    means = [float(mean) for mean in np.mean(found, axis=0)]
    depth = depths(graph)
    selected = {op.output: d for op in graph.ops if (d := depth[op.output])}
    return {
        name: means[selected[name] - 1] if name in selected and count > 1 else float(count)
        for name, count in rows.items()
    }


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
            elif isinstance(op, SelectTokens | TokenMean) or (
                isinstance(op, Attention) and name in (op.key, op.value)
            ):
                wanted = {None}
            needed.setdefault(name, set()).update(wanted)
    return {
        name: row
        for name, rows in needed.items()
        if len(rows) == 1 and (row := next(iter(rows))) is not None
    }


def _whole(op: Op) -> tuple[str, ...]:
    """Inputs of which every row is needed, whatever is read of the output."""
    match op:
        case Attention():
            return (op.key, op.value)
        case SelectTokens() | TokenMean():
            return inputs_of(op)
        case _:
            return ()
