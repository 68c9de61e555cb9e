# SPDX-License-Identifier: Apache-2.0
"""How much arithmetic an instruction asks for."""

from hwgen.program.instructions import Attention, Instruction, Matmul


def macs(instruction: Instruction, lanes: int) -> int:
    """Multiply-accumulates of whole slices of channels and of the rows and keys that exist.

    A Program does not know how many channels of a slice are padding; they count as work.
    """
    match instruction:
        case Matmul() as op:
            return op.rows * op.reduction_slices * op.output_slices * lanes**2
        case Attention() as op:
            return 2 * op.heads * op.head_slices * lanes * op.rows * op.keys
        case _:
            return 0
