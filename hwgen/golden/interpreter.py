# SPDX-License-Identifier: Apache-2.0
"""The reference interpreter of Programs: plain numpy on integers, many runs at once."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from hwgen.golden.attention import attention
from hwgen.golden.matmul import matmul, row_mean, unpack_parameters
from hwgen.golden.select import kept_rows, most_heads, token_select
from hwgen.numerics.mean import MOST_ROWS
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import (
    Extent,
    load_beats,
    mean_extent,
    parameter_beats,
    reads,
    writes,
)
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
)
from hwgen.program.program import Program
from hwgen.program.status import ErrorCode
from hwgen.program.tokens import TOKEN_REGISTERS, resolve, selected

BATCH = 8
"""Runs at once where there are many: memory stays small and arrays in the cache."""

Observer = Callable[[int, Extent, np.ndarray], None]
"""Called after each instruction with its index, where it wrote, and the int8 or int16 vectors
(batch, slices, rows, lanes) it wrote. Where row counts depend on the image, for one run after the
other."""

SelectionObserver = Callable[[int, np.ndarray], None]
"""Called after each TOKEN_SELECT with its index and which rows stayed, bool (rows,)."""


class EngineFault(Exception):
    """The engine stops with an error code; hardware raises done and shows the code."""

    def __init__(self, code: ErrorCode, index: int) -> None:
        super().__init__(f"instruction {index}: {code.name}")
        self.code = code
        self.index = index


class Memory:
    """On-chip buffers and the output region of ``batch`` runs, as (batch, depth, lanes)."""

    def __init__(self, engine: EngineConfig, batch: int, output_vectors: int) -> None:
        lanes = engine.lanes
        self._arrays: dict[Buffer, np.ndarray] = {
            Buffer.RESIDUAL: np.zeros((batch, engine.residual_depth, lanes), np.int16),
            Buffer.WORK: np.zeros((batch, engine.work_depth, lanes), np.int8),
            Buffer.VALUE: np.zeros((batch, engine.value_depth, lanes), np.int8),
            Buffer.OUTPUT: np.zeros((batch, output_vectors, lanes), np.int16),
        }

    @staticmethod
    def _indices(extent: Extent) -> np.ndarray:
        slices = np.arange(extent.slices)[:, None] * extent.stride
        return extent.address + slices + np.arange(extent.rows)

    def vectors(self, extent: Extent) -> np.ndarray:
        """The vectors of a matrix, (batch, slices, rows, lanes)."""
        return self._arrays[extent.buffer][:, self._indices(extent)]

    def read(self, extent: Extent) -> np.ndarray:
        """A matrix as (batch, rows, slices * lanes)."""
        vectors = self.vectors(extent).transpose(0, 2, 1, 3)
        return vectors.reshape(len(vectors), extent.rows, -1)

    def write(self, extent: Extent, value: np.ndarray) -> None:
        """Stores a matrix (batch, rows, slices * lanes) of integers that fit the buffer's type."""
        array = self._arrays[extent.buffer]
        shape = (len(value), extent.rows, extent.slices, array.shape[2])
        array[:, self._indices(extent)] = value.reshape(shape).transpose(0, 2, 1, 3)

    def output(self) -> np.ndarray:
        """The output region, int16 (batch, vectors, lanes)."""
        return self._arrays[Buffer.OUTPUT]


class Interpreter:
    """Runs one Program, many times at once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.engine = program.engine

    def run(
        self,
        beats: np.ndarray,
        observe: Observer | None = None,
        selection: SelectionObserver | None = None,
    ) -> np.ndarray:
        """Runs the Program.

        Args:
            beats: input region of each run, uint8 (batch, beats, lanes), from
                ``InputLayout.pack``.
            observe: called after each instruction that writes.
            selection: called after each TOKEN_SELECT.

        Returns:
            The output region of each run, int16 (batch, vectors, lanes).

        Raises:
            EngineFault: where hardware would stop with an error code.
        """
        # Row counts that depend on the image cannot be shared.
        parts = [beats]
        if any(isinstance(op, TokenSelect) for op in self.program.instructions):
            parts = [beats[i : i + 1] for i in range(len(beats))] or parts
        return np.concatenate([self._run(part, observe, selection) for part in parts])

    def _run(
        self, beats: np.ndarray, observe: Observer | None, selection: SelectionObserver | None
    ) -> np.ndarray:
        memory = Memory(self.engine, len(beats), self.program.output.vectors(self.engine.lanes))
        tokens = [0] * TOKEN_REGISTERS
        for index, instruction in enumerate(self.program.instructions):
            match instruction:
                case End():
                    return memory.output()
                case SetTokens():
                    if instruction.register >= TOKEN_REGISTERS:
                        raise EngineFault(ErrorCode.OUT_OF_RANGE, index)
                    tokens[instruction.register] = instruction.rows
                    continue
            resolved = resolve(instruction, tokens)
            extent = writes(resolved)
            assert extent is not None
            if not (
                legal(resolved, self.program)
                and _region_end(instruction, self.engine) <= self._region_beats(instruction)
            ):
                raise EngineFault(ErrorCode.OUT_OF_RANGE, index)
            if isinstance(instruction, TokenSelect) and isinstance(resolved, TokenSelect):
                kept, extent = self._select(resolved, extent, memory)
                selected(instruction, tokens, extent.rows)
                if selection is not None:
                    selection(index, kept)
            else:
                self._step(resolved, extent, memory, beats)
            if observe is not None:
                observe(index, extent, memory.vectors(extent))
        raise EngineFault(ErrorCode.OUT_OF_RANGE, len(self.program.instructions))

    def run_all(self, beats: np.ndarray) -> np.ndarray:
        """``run`` for any number of runs, none included."""
        vectors, lanes = self.program.output.vectors(self.engine.lanes), self.engine.lanes
        none = np.zeros((0, vectors, lanes), np.int16)
        return np.concatenate([none, *(self.run(part) for part in batches(beats))])

    def _step(
        self, instruction: Instruction, destination: Extent, memory: Memory, beats: np.ndarray
    ) -> None:
        operands = [memory.read(extent) for extent in reads(instruction)]
        match instruction:
            case Load() as op:
                memory.write(destination, self._load(op, beats))
            case Matmul() as op:
                source, *others = operands
                if op.second_slices:
                    second, *others = others
                    second = np.broadcast_to(second, (*source.shape[:2], second.shape[2]))
                    source = np.concatenate([source, second], axis=2)
                parameters = unpack_parameters(self.program.weights, op, self.engine)
                value = matmul(op, source, others[0] if others else None, parameters)
                memory.write(destination, value)
                if op.mean:
                    memory.write(mean_extent(op), row_mean(value))
            case Attention() as op:
                memory.write(destination, attention(op, *operands))

    def _select(self, op: TokenSelect, most: Extent, memory: Memory) -> tuple[np.ndarray, Extent]:
        """Which rows of one run stay, and where the result lies."""
        source, scores = (memory.read(extent)[0] for extent in reads(op))
        kept = kept_rows(op, scores)
        rows = token_select(op, source, kept)
        extent = replace(most, rows=len(rows))
        memory.write(extent, rows[None])
        return kept, extent

    def _region_beats(self, instruction: Instruction) -> int:
        """Beats of the region that an instruction reads."""
        if isinstance(instruction, Load) and instruction.region == Region.INPUT:
            return self.program.input.beats(self.engine.lanes)
        return len(self.program.weights)

    def _load(self, op: Load, beats: np.ndarray) -> np.ndarray:
        """The loaded matrix, (batch or 1, vectors, lanes)."""
        region = beats if op.region == Region.INPUT else self.program.weights[None]
        wide = op.destination_buffer == Buffer.RESIDUAL
        data = np.ascontiguousarray(region[:, op.offset : op.offset + load_beats(op)])
        if wide:
            return data.view("<i2").reshape(len(data), op.vectors, -1)
        if op.offset_binary:
            data = data ^ np.uint8(128)
        return data.view(np.int8)


def _region_end(instruction: Instruction, engine: EngineConfig) -> int:
    """One past the last beat that an instruction reads from DDR."""
    match instruction:
        case Load() as op:
            return op.offset + load_beats(op)
        case Matmul() as op:
            return op.offset + parameter_beats(op, engine)
        case _:
            return 0


def legal(instruction: Instruction, program: Program) -> bool:
    """Whether the engine accepts the operands of an instruction whose token registers are
    resolved; otherwise it stops with OUT_OF_RANGE.
    """
    engine = program.engine
    destination = writes(instruction)
    if destination is None:
        return True
    extents = [*reads(instruction), destination]
    if isinstance(instruction, Matmul) and instruction.mean:
        extents.append(mean_extent(instruction))
    output_vectors = program.output.vectors(engine.lanes)
    if not all(extent.fits(engine, output_vectors) for extent in extents):
        return False
    wide = destination.buffer in (Buffer.RESIDUAL, Buffer.OUTPUT)
    match instruction:
        case Load():
            return destination.buffer in (Buffer.RESIDUAL, Buffer.WORK)
        case Matmul() as op:
            sources = (Buffer.RESIDUAL,) if op.normalise else (Buffer.WORK,)
            return (
                op.source_buffer in sources
                and op.rows <= engine.max_rows
                and not (op.gelu and wide)
                and not (op.residual and not wide)
                and not (op.second_slices and op.normalise)
                and not (op.mean and destination.buffer != Buffer.WORK)
                and not (op.mean and op.rows > MOST_ROWS)
            )
        case Attention() as op:
            slices = -(-op.keys // engine.lanes)
            return op.rows <= engine.max_rows and op.rows * slices <= engine.score_depth
        case TokenSelect() as op:
            return (
                op.rows <= min(engine.max_rows, MOST_ROWS)
                and op.heads <= most_heads(engine.lanes)
                and op.prefix + op.packages <= op.rows
            )
        case _:
            return True


def batches(beats: np.ndarray) -> Iterator[np.ndarray]:
    """``beats`` cut along its first axis into parts of at most ``BATCH`` runs."""
    for start in range(0, len(beats), BATCH):
        yield beats[start : start + BATCH]
