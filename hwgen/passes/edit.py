# SPDX-License-Identifier: Apache-2.0
"""What several passes do with a Graph."""

from dataclasses import replace

from hwgen.ir.graph import Graph, Op, inputs_of


def sole_consumer(graph: Graph, value: str) -> Op | None:
    """The one operation that reads ``value``; None when several do, or the output is read too."""
    consumers = graph.consumers(value)
    return consumers[0] if len(consumers) == 1 and value != graph.output else None


def without(ops: tuple[Op, ...], removed: Op) -> tuple[Op, ...]:
    """``ops`` without the operation ``removed``."""
    return tuple(op for op in ops if op is not removed)


def swap(graph: Graph, old: Op, *new: Op) -> Graph:
    """``graph`` with ``new`` in the place of ``old``."""
    ops = tuple(after for op in graph.ops for after in (new if op is old else (op,)))
    return replace(graph, ops=ops)


def drop_dead(graph: Graph) -> Graph:
    """``graph`` without operations that the output does not depend on."""
    needed = {graph.output}
    live: list[Op] = []
    for op in reversed(graph.ops):
        if op.output in needed:
            needed.update(inputs_of(op))
            live.append(op)
    return replace(graph, ops=tuple(reversed(live)))
