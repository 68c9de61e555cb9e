# SPDX-License-Identifier: Apache-2.0
"""How much arithmetic an instruction asks for."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwgen.program.instructions import Attention, Instruction, Matmul, SetTokens
from hwgen.program.program import Program


@dataclass(frozen=True)
class Counts:
    """Row and key counts of an instruction; zero where it has none."""

    rows: int
    keys: int


def resolve(program: Program) -> Iterator[tuple[Instruction, Counts]]:
    """Each instruction with its counts, token registers as ``SetTokens`` left them."""
    registers: dict[int, int] = {}
    for instruction in program.instructions:
        if isinstance(instruction, SetTokens):
            registers[instruction.register] = instruction.rows
        yield instruction, _counts(instruction, registers)


def _counts(instruction: Instruction, registers: dict[int, int]) -> Counts:
    def count(number: int, register: int) -> int:
        return registers.get(register - 1, 0) if register else number

    match instruction:
        case Matmul() as op:
            return Counts(count(op.rows, op.rows_register), 0)
        case Attention() as op:
            return Counts(count(op.rows, op.rows_register), count(op.keys, op.keys_register))
        case _:
            return Counts(0, 0)


def macs(instruction: Instruction, counts: Counts, lanes: int) -> int:
    """Multiply-accumulates of whole slices of channels and of the rows and keys that exist.

    A Program does not know how many channels of a slice are padding; they count as work.
    """
    match instruction:
        case Matmul() as op:
            return counts.rows * op.reduction_slices * op.output_slices * lanes**2
        case Attention() as op:
            return 2 * op.heads * op.head_slices * lanes * counts.rows * counts.keys
        case _:
            return 0
