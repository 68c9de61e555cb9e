# SPDX-License-Identifier: Apache-2.0
"""Where an instruction reads and writes: one rule for golden, compiler and test benches."""

from dataclasses import dataclass

from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, Instruction, Load, Matmul


@dataclass(frozen=True)
class Extent:
    """A matrix in a buffer: row ``r`` of slice ``s`` is vector ``address + s * stride + r``."""

    buffer: Buffer
    address: int
    stride: int
    slices: int
    rows: int

    @property
    def end(self) -> int:
        """One past the last vector."""
        return self.address + (self.slices - 1) * self.stride + self.rows

    def fits(self, engine: EngineConfig, output_vectors: int) -> bool:
        """Whether the matrix is not empty, its slices lie apart, and all of it in its buffer."""
        depth = {
            Buffer.RESIDUAL: engine.residual_depth,
            Buffer.WORK: engine.work_depth,
            Buffer.VALUE: engine.value_depth,
            Buffer.OUTPUT: output_vectors,
        }[self.buffer]
        apart = self.slices == 1 or self.stride >= self.rows
        return self.slices > 0 and self.rows > 0 and apart and self.end <= depth


def _matmul(op: Matmul, rows: int) -> list[Extent]:
    source = Extent(
        op.source_buffer, op.source_address, op.source_stride, op.reduction_slices, rows
    )
    if not op.residual:
        return [source]
    slices = op.output_slices
    return [
        source,
        Extent(Buffer.RESIDUAL, op.residual_address, op.residual_stride, slices, rows),
    ]


def reads(instruction: Instruction, rows: int, keys: int) -> list[Extent]:
    """On-chip operands of an instruction whose row and key counts are ``rows`` and ``keys``."""
    match instruction:
        case Matmul() as op:
            return _matmul(op, rows)
        case Attention() as op:
            slices = op.heads * op.head_slices
            return [
                Extent(Buffer.WORK, op.query_address, op.query_stride, slices, rows),
                Extent(Buffer.WORK, op.key_address, op.key_stride, slices, keys),
                Extent(Buffer.VALUE, op.value_address, op.value_stride, slices, keys),
            ]
        case _:
            return []


def writes(instruction: Instruction, rows: int) -> Extent | None:
    """Where an instruction puts its result; None where it has none."""
    match instruction:
        case Load() as op:
            return Extent(op.destination_buffer, op.destination_address, 0, 1, op.vectors)
        case Matmul() as op:
            return Extent(
                op.destination_buffer,
                op.destination_address,
                op.destination_stride,
                op.output_slices,
                rows,
            )
        case Attention() as op:
            return Extent(
                Buffer.WORK,
                op.destination_address,
                op.destination_stride,
                op.heads * op.head_slices,
                rows,
            )
        case _:
            return None


def parameter_beats(op: Matmul, engine: EngineConfig) -> int:
    """Beats that a matrix product takes from the weight stream.

    Each output slice brings 8 beats of parameters, then ``lanes`` beats for each reduction slice.
    """
    return op.output_slices * (8 + op.reduction_slices * engine.lanes)


def load_beats(op: Load) -> int:
    """Beats that a LOAD takes from its region."""
    return op.vectors * (2 if op.destination_buffer == Buffer.RESIDUAL else 1)
