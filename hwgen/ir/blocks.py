# SPDX-License-Identifier: Apache-2.0
"""The transformer blocks of a Graph, and token selectors in front of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwgen.errors import ModelError
from hwgen.ir.edit import reading
from hwgen.ir.graph import (
    Attention,
    Graph,
    LayerNorm,
    Linear,
    Op,
    Tokens,
    TokenSelector,
    inputs_of,
)
from hwgen.ir.selector import fault


@dataclass(frozen=True)
class Block:
    """A block by the value that enters it, and the columns and heads of its attention."""

    input: str
    columns: int
    heads: int


def blocks(graph: Graph) -> tuple[Block, ...]:
    """The blocks of a float ``graph`` before the passes, in their order.

    Raises ModelError where an attention does not begin with a LayerNorm of the residual stream.
    """
    return tuple(_block(graph, op) for op in graph.ops if isinstance(op, Attention))


def with_selectors(graph: Graph, selectors: Mapping[int, TokenSelector]) -> Graph:
    """``graph`` with token selectors in front of some of its blocks.

    Args:
        selectors: by the number of the block that they stand in front of, 1 for the first one.
            Their name, input, output and number of package tokens are set here.

    Raises:
        ModelError: there is no such block, nothing stands before it (block 1), a selector does
            not fit the graph, or the graph has selectors already.
    """
    if any(isinstance(op, TokenSelector) for op in graph.ops):
        raise ModelError(f"{graph.name} has token selectors already; give the model without them.")
    found = blocks(graph)
    for number in selectors:
        check_block(graph.name, number, len(found))
    packages = 0
    for number in sorted(selectors):
        block, selector = found[number - 1], selectors[number]
        _check_fit(graph, number, block, selector)
        name = f"selector{number}"
        selector = replace(
            selector, name=name, input=block.input, output=f"{name}.out", packages=packages
        )
        graph = put_in(graph, selector)
        packages = packages + 1 if selector.package == "kept" else 1
    return graph


def without_selectors(graph: Graph) -> Graph:
    """``graph`` with the token selectors taken out: every token stays."""
    ops: list[Op] = []
    before: dict[str, str] = {}
    for op in graph.ops:
        for name in inputs_of(op):
            if name in before:
                op = reading(op, name, before[name])
        if isinstance(op, TokenSelector):
            before[op.output] = op.input
        else:
            ops.append(op)
    return replace(graph, ops=tuple(ops))


def check_block(model: str, number: int, count: int) -> None:
    """Raises ModelError unless a selector can stand in front of block ``number`` of ``count``."""
    if count < 2:
        raise ModelError(
            f"{model}: a token selector cannot stand in front of block {number}. The model has "
            "one block alone; there is none that a selector could come before."
        )
    if not 2 <= number <= count:
        reason = "; before block 1 nothing is known of the patches" if number == 1 else ""
        raise ModelError(
            f"{model}: a token selector cannot stand in front of block {number}{reason}. The "
            f"model has {count} blocks; give blocks from 2 to {count}."
        )


def _block(graph: Graph, attention: Attention) -> Block:
    linear = graph.producer(attention.query)
    norm = graph.producer(linear.input) if isinstance(linear, Linear) else None
    value = graph.producer(attention.value)
    if not isinstance(norm, LayerNorm) or not isinstance(value, Linear):
        raise ModelError(
            f"{graph.name}: attention '{attention.name}' does not begin with a LayerNorm and "
            "Linear layers; token selectors stand in front of such blocks alone."
        )
    return Block(norm.input, value.weight.shape[1], attention.heads)


def _check_fit(graph: Graph, number: int, block: Block, selector: TokenSelector) -> None:
    (tokens,) = (op for op in graph.ops if isinstance(op, Tokens))
    wrong = fault(selector, len(tokens.position), block.columns)
    if wrong is not None:
        raise ModelError(
            f"{graph.name}: the token selector for block {number} does not fit: {wrong}."
        )


def put_in(graph: Graph, selector: TokenSelector) -> Graph:
    """``graph`` with ``selector``: everything that read its input now reads its output."""
    ops: list[Op] = []
    for op in graph.ops:
        if selector.input in inputs_of(op):
            if selector not in ops:
                ops.append(selector)
            op = reading(op, selector.input, selector.output)
        ops.append(op)
    return replace(graph, ops=tuple(ops))
