# SPDX-License-Identifier: Apache-2.0
"""Which part of the transformer an instruction computes, seen from the instructions alone."""

from collections.abc import Sequence

from hwgen.golden.selections import of_selector, operation
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, End, Instruction, Matmul, TokenSelect

QUERIES, ATTENTION, SELECTOR = "query, key, value", "attention", "selector"

PARTS = (
    QUERIES,
    ATTENTION,
    "projection",
    "MLP up",
    "MLP down",
    "embedding",
    "head",
    SELECTOR,
    "control",
)
"""Every part there is, in the order of the report's colours."""


def parts(instructions: Sequence[Instruction], labels: Sequence[str]) -> list[tuple[str, str]]:
    """(block, part) of each instruction, such as ("block 3", "attention").

    A block begins with its queries, keys and values. The images of a batch read an operation's
    weights again, from the same offset. A selector belongs to the block that it stands before.
    """
    result: list[tuple[str, str]] = []
    known: dict[int, tuple[str, str]] = {}
    selectors = selectors_of(instructions, labels)
    before: dict[str, int] = {}
    block, part, blocks = "", "", 0
    for instruction, selector in zip(instructions, selectors, strict=True):
        if selector:
            place = before.setdefault(selector, blocks)
            result.append((f"block {place}", SELECTOR))
            part = SELECTOR
            continue
        match instruction:
            case Matmul() as op:
                if op.offset not in known:
                    blocks += part != QUERIES and _part(op, part, blocks) == QUERIES
                    known[op.offset] = _place(_part(op, part, blocks), blocks)
                block, part = known[op.offset]
            case Attention():
                part = ATTENTION
            case TokenSelect():
                # Decides nothing: it brings the class tokens of a batch together.
                block, part = "head", "head"
            case End():
                block, part = "control", "control"
            case _:
                block, part = "embedding", "embedding"
        result.append((block, part))
    return result


def selectors_of(instructions: Sequence[Instruction], labels: Sequence[str]) -> list[str]:
    """The token selector that each instruction is of; empty: of none."""
    names = [
        operation(label)
        for op, label in zip(instructions, labels, strict=True)
        if isinstance(op, TokenSelect) and op.heads
    ]
    names = list(dict.fromkeys(names))
    return [next((n for n in names if of_selector(label, n)), "") for label in labels]


def _part(op: Matmul, previous: str, blocks: int) -> str:
    """What a product is, from its flags and the part before it."""
    if op.destination_buffer == Buffer.OUTPUT:
        return "head"
    if op.gelu:
        return "MLP up"
    if op.residual and blocks:
        return "projection" if previous == ATTENTION else "MLP down"
    return QUERIES if op.normalise else "embedding"


def _place(part: str, blocks: int) -> tuple[str, str]:
    return (part if part in ("head", "embedding") else f"block {blocks - 1}", part)
