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
    inputs_of,
)


def check_canonical(graph: Graph) -> None:
    """Raises ModelError unless every operation is one that the accelerator executes, and takes
    rows of which it is known where they are.
    """
    left = [op for op in graph.ops if not isinstance(op, _CANONICAL)]
    if left:
        lines = [f"  {type(op).__name__} '{op.name}': {_reason(graph, op)}." for op in left]
        raise ModelError(
            "\n".join([f"{graph.name}: hwgen cannot fuse {len(left)} operations:", *lines])
        )
    _check_taken_rows(graph)


_CANONICAL = (
    PatchEmbedding,
    Tokens,
    Attention,
    TakeToken,
    FusedLinear,
    TokenMean,
    SelectTokens,
)


def _check_taken_rows(graph: Graph) -> None:
    """Behind a token selector, only the class tokens are still where they were."""
    fixed: dict[str, int] = {}
    for op in graph.ops:
        known = [fixed[name] for name in inputs_of(op) if name in fixed]
        if isinstance(op, SelectTokens):
            known.append(op.prefix)
        if not known:
            continue
        if isinstance(op, TakeToken):
            if op.index >= min(known):
                raise ModelError(
                    f"{graph.name}: '{op.name}' takes row {op.index}, but the token selectors "
                    f"before it keep only the first {min(known)} rows in their place. Classify by "
                    "the class token, or give the selectors a larger prefix."
                )
        elif not isinstance(op, TokenMean):
            fixed[op.output] = min(known)


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
