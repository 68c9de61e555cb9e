# SPDX-License-Identifier: Apache-2.0
"""Where an instruction reads and writes: one rule for golden, compiler and test benches."""

from dataclasses import dataclass

from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, Instruction, Load, Matmul, TokenSelect


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


def _matmul(op: Matmul) -> list[Extent]:
    first = op.reduction_slices - op.second_slices
    extents = [Extent(op.source_buffer, op.source_address, op.source_stride, first, op.rows)]
    if op.second_slices:
        stride, rows = (1, 1) if op.second_broadcast else (op.source_stride, op.rows)
        extents.append(Extent(Buffer.WORK, op.second_address, stride, op.second_slices, rows))
    if op.residual:
        stride, slices = op.residual_stride, op.output_slices
        extents.append(Extent(Buffer.RESIDUAL, op.residual_address, stride, slices, op.rows))
    return extents


def reads(instruction: Instruction) -> list[Extent]:
    """On-chip operands of an instruction whose token registers are resolved.

    MATMUL: source, second source, residual operand, where there are; ATTENTION: queries, keys,
    values; TOKEN_SELECT: source, scores.
    """
    match instruction:
        case Matmul() as op:
            return _matmul(op)
        case Attention() as op:
            slices = op.heads * op.head_slices
            return [
                Extent(Buffer.WORK, op.query_address, op.query_stride, slices, op.rows),
                Extent(Buffer.WORK, op.key_address, op.key_stride, slices, op.keys),
                Extent(Buffer.VALUE, op.value_address, op.value_stride, slices, op.keys),
            ]
        case TokenSelect() as op:
            return [
                Extent(Buffer.RESIDUAL, op.source_address, op.source_stride, op.slices, op.rows),
                Extent(Buffer.WORK, op.score_address, 0, 1, op.rows),
            ]
        case _:
            return []


def writes(instruction: Instruction) -> Extent | None:
    """Where an instruction whose token registers are resolved puts its result; None where it has
    none. Of TOKEN_SELECT with as many rows as it can write.
    """
    match instruction:
        case Load() as op:
            return Extent(op.destination_buffer, op.destination_address, 0, 1, op.vectors)
        case Matmul() as op:
            return Extent(
                op.destination_buffer,
                op.destination_address,
                op.destination_stride,
                op.output_slices,
                op.rows,
            )
        case Attention() as op:
            return Extent(
                Buffer.WORK,
                op.destination_address,
                op.destination_stride,
                op.heads * op.head_slices,
                op.rows,
            )
        case TokenSelect() as op:
            return Extent(
                Buffer.RESIDUAL,
                op.destination_address,
                op.destination_stride,
                op.slices,
                most_rows(op),
            )
        case _:
            return None


def mean_extent(op: Matmul) -> Extent:
    """Where a MATMUL with ``mean`` puts the means: one vector for each output slice."""
    return Extent(Buffer.WORK, op.mean_address, 1, op.output_slices, 1)


def most_rows(op: TokenSelect) -> int:
    """Rows that a TOKEN_SELECT writes at most."""
    scored = op.rows - op.prefix - op.packages
    forced = op.prefix + (0 if op.merge else op.packages)
    return forced + min(scored, op.limit) + op.package


def parameter_beats(op: Matmul, engine: EngineConfig) -> int:
    """Beats that a matrix product takes from the weight stream.

    Each output slice brings 8 beats of parameters, then ``lanes`` beats for each reduction slice.
    """
    return op.output_slices * (8 + op.reduction_slices * engine.lanes)


def load_beats(op: Load) -> int:
    """Beats that a LOAD takes from its region."""
    return op.vectors * (2 if op.destination_buffer == Buffer.RESIDUAL else 1)
