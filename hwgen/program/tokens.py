# SPDX-License-Identifier: Apache-2.0
"""Token registers: row counts and row offsets that change while a program runs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hwgen.program.extent import most_rows
from hwgen.program.instructions import Attention, Instruction, Matmul, SetTokens, TokenSelect
from hwgen.program.program import Program

TOKEN_REGISTERS = 15
"""A field of four bits names one of them, or none."""


def resolve(instruction: Instruction, tokens: Sequence[int]) -> Instruction:
    """The instruction with the values of token registers in the place of their names.

    Rows and keys become immediate, offsets are added to addresses (which may then be larger than
    their fields). Registers that TOKEN_SELECT writes keep their names.
    """

    def count(given: int, register: int) -> int:
        return tokens[register - 1] if register else given

    match instruction:
        case Matmul() as op:
            return replace(
                op,
                rows=count(op.rows, op.rows_register),
                rows_register=0,
                source_address=op.source_address + count(0, op.source_offset_register),
                source_offset_register=0,
            )
        case Attention() as op:
            query = count(0, op.query_offset_register)
            key = count(0, op.key_offset_register)
            return replace(
                op,
                rows=count(op.rows, op.rows_register),
                rows_register=0,
                keys=count(op.keys, op.keys_register),
                keys_register=0,
                query_address=op.query_address + query,
                destination_address=op.destination_address + query,
                query_offset_register=0,
                key_address=op.key_address + key,
                value_address=op.value_address + key,
                key_offset_register=0,
            )
        case TokenSelect() as op:
            return replace(
                op,
                rows=count(op.rows, op.rows_register),
                rows_register=0,
                source_address=op.source_address + count(0, op.source_offset_register),
                source_offset_register=0,
                destination_address=op.destination_address
                + count(0, op.destination_offset_register),
            )
        case _:
            return instruction


def selected(op: TokenSelect, tokens: list[int], rows: int) -> None:
    """Writes the token registers after a selection has written ``rows`` rows.

    Args:
        op: as it stands in the program.
    """
    offset = op.destination_offset_register
    end = rows + (tokens[offset - 1] if offset else 0)
    if op.count_register:
        tokens[op.count_register - 1] = rows
    if op.end_register:
        tokens[op.end_register - 1] = end


def resolved(program: Program, selections: Sequence[int] | None = None) -> Iterator[Instruction]:
    """Each instruction with token registers resolved.

    Args:
        selections: rows that each TOKEN_SELECT of the program writes, in order; as many as each
            can write where None.
    """
    tokens = [0] * TOKEN_REGISTERS
    written = iter(selections or ())
    for instruction in program.instructions:
        op = resolve(instruction, tokens)
        yield op
        match instruction:
            case SetTokens() if instruction.register < TOKEN_REGISTERS:
                tokens[instruction.register] = instruction.rows
            case TokenSelect() if isinstance(op, TokenSelect):
                selected(
                    instruction, tokens, most_rows(op) if selections is None else next(written)
                )
