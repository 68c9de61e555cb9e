# SPDX-License-Identifier: Apache-2.0
"""Refuses a Graph that the passes could not bring into canonical form."""

from hwgen.errors import ModelError
from hwgen.ir.graph import (
    Add,
    Attention,
    FusedLinear,
    Gelu,
    Graph,
    LayerNorm,
    Linear,
    Op,
    PatchEmbedding,
    Scale,
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
)
from hwgen.ir.rows import check_rows


def check_canonical(graph: Graph) -> None:
    """Raises ModelError unless every operation is one that the accelerator executes, and takes
    rows as ``check_rows`` wants it.
    """
    left = [op for op in graph.ops if not isinstance(op, _CANONICAL)]
    if left:
        lines = [f"  {type(op).__name__} '{op.name}': {_reason(graph, op)}." for op in left]
        raise ModelError(
            "\n".join([f"{graph.name}: hwgen cannot fuse {len(left)} operations:", *lines])
        )
    check_rows(graph)


_CANONICAL = (
    PatchEmbedding,
    Tokens,
    Attention,
    TakeToken,
    FusedLinear,
    TokenMean,
    SelectTokens,
)


def _reason(graph: Graph, op: Op) -> str:
    readers = [f"'{reader.name}'" for reader in graph.consumers(op.output)]
    read_by = f"it is read by {', '.join(readers)}" if readers else "it is the output"
    match op:
        case LayerNorm():
            return f"a LayerNorm may be read by Linear layers alone, but {read_by}"
        case Gelu():
            return "a GELU must be the only reader of a Linear"
        case Add():
            return (
                "one side of a residual Add must be a Linear (or its GELU) that nothing else reads"
            )
        case Scale():
            return "a scale must be the only reader of a Linear, LayerNorm or patch embedding"
        case Linear():
            return "it was not fused; this is a fault of hwgen, please report the model"
        case _:
            return "it has no place in a canonical graph"
