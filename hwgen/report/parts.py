# SPDX-License-Identifier: Apache-2.0
"""Which part of the transformer an instruction computes, seen from the instructions alone."""

from collections.abc import Sequence

from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, Instruction, Matmul

PARTS = (
    "query, key, value",
    "attention",
    "projection",
    "MLP up",
    "MLP down",
    "embedding",
    "head",
    "control",
)
"""Every part there is, in the order of the report's colours."""


def parts(instructions: Sequence[Instruction]) -> list[tuple[str, str]]:
    """(block, part) of each instruction, such as ("block 3", "attention").

    A block has one ATTENTION; queries, keys and values come before it, the rest after it.
    """
    result: list[tuple[str, str]] = []
    attentions = 0
    previous = ""
    for instruction in instructions:
        block, part = f"block {attentions - 1}", ""
        match instruction:
            case Attention():
                block, part = f"block {attentions}", "attention"
                attentions += 1
            case Matmul() as op if op.destination_buffer == Buffer.OUTPUT:
                block, part = "head", "head"
            case Matmul() as op if op.gelu:
                part = "MLP up"
            case Matmul() as op if op.residual and attentions:
                part = "projection" if previous == "attention" else "MLP down"
            case Matmul() as op if op.normalise:
                block, part = f"block {attentions}", "query, key, value"
            case Matmul():
                block, part = "embedding", "embedding"
            case _:
                block, part = ("control", "control") if attentions else ("embedding", "embedding")
        previous = part
        result.append((block, part))
    return result
