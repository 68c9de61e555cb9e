# SPDX-License-Identifier: Apache-2.0
"""Predicted cycles of a Program on the overlay engine.

The model does what the RTL's sequencer, issuer, loader and fetch do, item by item instead of cycle
by cycle: weight stream and prefetch buffer, tiles and shadow weights, one row a cycle, and the
distances between rows that depend on each other. It looks at the instructions alone, never at the
weights. RTL simulation is compared with it (`hwgen verify --level rtl`).
"""

from collections.abc import Sequence

from hwgen.errors import ProgramError
from hwgen.estimate.items import Item, Place, Sequencer
from hwgen.estimate.result import Cause, CycleEstimate, InstructionCycles
from hwgen.estimate.schedule import Schedule
from hwgen.estimate.stream import WriteStream
from hwgen.estimate.timing import Timing
from hwgen.estimate.work import macs
from hwgen.golden.interpreter import legal
from hwgen.program.extent import load_beats, most_rows
from hwgen.program.instructions import Attention, Instruction, Load, Matmul, TokenSelect
from hwgen.program.program import Program
from hwgen.program.tokens import resolved


def estimate_cycles(
    program: Program, timing: Timing | None = None, selections: Sequence[int] | None = None
) -> CycleEstimate:
    """The predicted run of ``program`` on its engine.

    Args:
        timing: of the memory; the ZCU102 at 300 MHz where None.
        selections: rows that each TOKEN_SELECT writes, in order; as many as it can where None.

    Raises:
        ProgramError: the engine would refuse an instruction, or ``selections`` are of another
            program.
    """
    timing = timing or Timing()
    _check_selections(program, selections)
    run = _Run(program, timing, selections)
    items: list[InstructionCycles] = []
    steps = list(zip(resolved(program, selections), program.labels, strict=True))
    for index, (instruction, label) in enumerate(steps):
        _check(instruction, program, f"instruction {index} ({label})")
        start = run.schedule.free
        end = max(start, run.execute(instruction))
        if index == len(steps) - 1:
            run.schedule.wait(run.done, Cause.DRAIN)
            end = run.done
        busy, stalls = run.schedule.settle()
        work = macs(instruction, program.engine.lanes)
        items.append(
            InstructionCycles(index, label, instruction.opcode, start, end, busy, stalls, work)
        )
    schedule = run.schedule
    return CycleEstimate(
        program.name, schedule.free, program.engine.lanes, tuple(items), schedule.ddr_cycles
    )


class _Run:
    """The engine during one run; ``done`` is when all results so far have arrived."""

    def __init__(self, program: Program, timing: Timing, selections: Sequence[int] | None) -> None:
        self.schedule = Schedule(program.engine, timing)
        self.done = 0
        self._sequencer = Sequencer(program.engine.lanes)
        self._writes = WriteStream(program.engine, timing)
        self._written = None if selections is None else iter(selections)

    def execute(self, instruction: Instruction) -> int:
        """Runs one instruction; returns the cycle of its last result, 0 where it has none."""
        match instruction:
            case Load() as op:
                self._sequencer.loaded(op.destination_buffer)
                end = self.schedule.load(load_beats(op))
            case Matmul() as op:
                end = max(map(self._item, self._sequencer.matmul(op)))
            case Attention() as op:
                self.schedule.fill_table()
                end = max(map(self._item, self._sequencer.attention(op)))
            case TokenSelect() as op:
                written = most_rows(op) if self._written is None else next(self._written)
                end = max(map(self._item, self._sequencer.select(op, written)))
            case _:
                return 0
        self.done = max(self.done, end)
        return end

    def _item(self, item: Item) -> int:
        end = self.schedule.run(item)
        if item.last and item.target[0] is Place.OUTPUT:
            return self._writes.write(end, item.rows)
        return end


def _check(instruction: Instruction, program: Program, where: str) -> None:
    if not legal(instruction, program):
        raise ProgramError(
            f"{where}: the engine refuses it, an operand does not fit a buffer or may not be "
            "combined with the others. Build the model for this engine's configuration."
        )


def _check_selections(program: Program, selections: Sequence[int] | None) -> None:
    count = sum(isinstance(op, TokenSelect) for op in program.instructions)
    if selections is not None and len(selections) != count:
        raise ProgramError(
            f"{len(selections)} row counts were given for the {count} token selections of "
            f"{program.name}. Give one for each TOKEN_SELECT, in the program's order."
        )
