# SPDX-License-Identifier: Apache-2.0
"""Which values are 16 bits wide, and which of them must share a scale."""

from hwgen.ir.graph import FusedLinear, Graph, SelectTokens, TakeToken, Tokens


def wide_streams(graph: Graph) -> dict[str, str]:
    """The 16-bit values of a canonical ``graph``, each with the name of its stream.

    A stream is a chain of residual additions: its values are added without rescaling, so they
    share one scale; so are rows that are taken or selected from one. The tokens start one; so
    does any other residual operand, what tokens are selected from, and the output.
    """
    operands = {op.residual for op in graph.ops if isinstance(op, FusedLinear)}
    operands |= {op.input for op in graph.ops if isinstance(op, SelectTokens)}
    streams: dict[str, str] = {}
    for op in graph.ops:
        match op:
            case TakeToken() | SelectTokens() if op.input in streams:
                streams[op.output] = streams[op.input]
            case FusedLinear() if op.residual is not None:
                streams[op.output] = streams[op.residual]
            case Tokens():
                streams[op.output] = op.output
            case _ if op.output in operands or op.output == graph.output:
                streams[op.output] = op.output
    return streams
