# SPDX-License-Identifier: Apache-2.0
"""Fuses each Linear with the normalisation before it and the GELU and residual Add after it."""

from dataclasses import replace

from hwgen.ir.edit import live, sole_consumer
from hwgen.ir.graph import Add, FusedLinear, Gelu, Graph, LayerNorm, Linear, Op
from hwgen.passes.fold_norm import is_plain


def fuse_linear(graph: Graph) -> Graph:
    """Turns every Linear into a FusedLinear that takes in as much around it as one can.

    A LayerNorm must be plain (see ``fold_norm``); a Gelu or Add must be the only reader.
    """
    for op in graph.ops:
        if isinstance(op, Linear):
            graph = _fuse(graph, op)
    return replace(graph, ops=live(graph.ops, graph.output))


def _fuse(graph: Graph, linear: Linear) -> Graph:
    """The fused operation stands where the last one it takes in stood."""
    norm = graph.producer(linear.input)
    plain = norm if isinstance(norm, LayerNorm) and is_plain(norm) else None
    taken: list[Op] = [linear]
    gelu = sole_consumer(graph, linear.output)
    if isinstance(gelu, Gelu):
        taken.append(gelu)
    inner = taken[-1].output
    add = sole_consumer(graph, inner)
    residual = None
    if isinstance(add, Add) and add.left != add.right:
        taken.append(add)
        residual = add.left if add.right == inner else add.right
    fused = FusedLinear(
        name=linear.name,
        input=plain.input if plain else linear.input,
        output=taken[-1].output,
        weight=linear.weight,
        bias=linear.bias,
        epsilon=plain.epsilon if plain else None,
        gelu=isinstance(gelu, Gelu),
        residual=residual,
    )
    ops = tuple(fused if op is taken[-1] else op for op in graph.ops)
    return replace(graph, ops=tuple(op for op in ops if op not in taken[:-1]))
