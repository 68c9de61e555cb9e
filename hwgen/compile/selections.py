# SPDX-License-Identifier: Apache-2.0
"""What token selections mean for a network's operations: which come after how many of them, and
which belong to a selector.
"""

from itertools import pairwise

from hwgen.ir.graph import Graph, SelectTokens, TakeToken, inputs_of


def depths(graph: Graph) -> dict[str, int]:
    """Of each value, the selections that its rows have gone through; 0 behind the class token's
    way out, where row counts are known again.
    """
    found = {graph.input.name: 0}
    for op in graph.ops:
        found[op.output] = found[inputs_of(op)[0]]
        if isinstance(op, SelectTokens):
            found[op.output] += 1
        elif isinstance(op, TakeToken):
            found[op.output] = 0
    return found


def regions(graph: Graph) -> list[range]:
    """Operations, by index, up to and with each selection; then those up to the class token's way
    out; then the head. None where nothing is selected.
    """
    selections = [i + 1 for i, op in enumerate(graph.ops) if isinstance(op, SelectTokens)]
    if not selections:
        return []
    taken = [i for i, op in enumerate(graph.ops) if isinstance(op, TakeToken)]
    borders = sorted({0, *selections, *taken[-1:], len(graph.ops)})
    return [range(a, b) for a, b in pairwise(borders)]


def selector_operations(graph: Graph) -> frozenset[int]:
    """Indices of the operations that make scores, and of the selections themselves: they run image
    by image, since a mean over tokens is one image's.
    """
    inside: set[int] = set()
    wanted: set[str] = set()
    stream = ""
    for index in reversed(range(len(graph.ops))):
        op = graph.ops[index]
        if isinstance(op, SelectTokens):
            wanted.add(op.scores)
            stream = op.input
        elif op.output not in wanted:
            continue
        else:
            wanted.update(name for name in inputs_of(op) if name != stream)
        inside.add(index)
    return frozenset(inside)
