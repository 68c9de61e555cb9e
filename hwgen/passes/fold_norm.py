# SPDX-License-Identifier: Apache-2.0
"""Folds the affine part of LayerNorm into the Linear layers that read it."""

from dataclasses import replace

import numpy as np

from hwgen.ir.graph import Graph, LayerNorm, Linear, Op


def fold_norm(graph: Graph) -> Graph:
    """Leaves gamma 1 and beta 0 in every LayerNorm that only Linear layers read.

    ``W (gamma * x + beta) + b`` is ``(W * gamma) x + (W beta + b)``.
    """
    folded = {
        op.output: op
        for op in graph.ops
        if isinstance(op, LayerNorm)
        and op.output != graph.output
        and all(isinstance(reader, Linear) for reader in graph.consumers(op.output))
    }
    return replace(graph, ops=tuple(_folded(op, folded) for op in graph.ops))


def is_plain(norm: LayerNorm) -> bool:
    """Whether ``norm`` normalises and does nothing else."""
    return bool((norm.gamma == 1).all() and (norm.beta == 0).all())


def _folded(op: Op, folded: dict[str, LayerNorm]) -> Op:
    if isinstance(op, LayerNorm) and op.output in folded:
        return replace(op, gamma=np.ones_like(op.gamma), beta=np.zeros_like(op.beta))
    if isinstance(op, Linear) and op.input in folded:
        norm = folded[op.input]
        return replace(op, weight=op.weight * norm.gamma, bias=op.bias + op.weight @ norm.beta)
    return op
