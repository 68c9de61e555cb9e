# SPDX-License-Identifier: Apache-2.0
"""Predicted cycles of a Program on the overlay engine.

The model follows tiles and rows: DDR stream and prefetch buffer, tile loader and shadow weights,
one row a cycle into the array, epilogue, normalisation and softmax each with its latency. It
looks at the instructions alone, never at the weights. Until it has been compared with the RTL's
cycle counter its figures are predictions.
"""

from hwgen.errors import ProgramError
from hwgen.estimate.attention import HeadPipeline
from hwgen.estimate.machine import Machine
from hwgen.estimate.result import Cause, CycleEstimate, InstructionCycles
from hwgen.estimate.timing import Timing
from hwgen.estimate.work import Counts, macs, resolve
from hwgen.golden.interpreter import legal
from hwgen.program.extent import reads, writes
from hwgen.program.instructions import Attention, Instruction, Load, Matmul
from hwgen.program.program import Program


def estimate_cycles(program: Program, timing: Timing | None = None) -> CycleEstimate:
    """The predicted run of ``program`` on its engine.

    Args:
        timing: time constants; the ZCU102 at 300 MHz where None.

    Raises:
        ProgramError: the engine would refuse an instruction.
    """
    machine = Machine(program.engine, timing or Timing())
    items: list[InstructionCycles] = []
    steps = list(zip(resolve(program), program.labels, strict=True))
    done = 0
    for index, ((instruction, counts), label) in enumerate(steps):
        _check(instruction, counts, program, f"instruction {index} ({label})")
        start = machine.array.free
        end = max(start, _execute(machine, instruction, counts))
        done = max(done, end)
        busy, stalls = machine.array.settle()
        if index == len(steps) - 1 and done > machine.array.free:
            stalls[Cause.DRAIN] = done - machine.array.free
            end = done
        work = macs(instruction, counts, program.engine.lanes)
        items.append(
            InstructionCycles(index, label, instruction.opcode, start, end, busy, stalls, work)
        )
    return CycleEstimate(program.name, done, program.engine.lanes, tuple(items), machine.reads.busy)


def _execute(machine: Machine, instruction: Instruction, counts: Counts) -> int:
    """Runs one instruction; returns the cycle of its last result, 0 where it has none."""
    match instruction:
        case Load() as op:
            return machine.load(op)
        case Matmul() as op:
            return machine.matmul(op, counts.rows)
        case Attention() as op:
            return HeadPipeline(machine, op, counts.rows, counts.keys).run()
        case _:
            return 0


def _check(instruction: Instruction, counts: Counts, program: Program, where: str) -> None:
    destination = writes(instruction, counts.rows)
    if destination is None:
        return
    operands = reads(instruction, counts.rows, counts.keys)
    if not legal(instruction, operands, destination, program):
        raise ProgramError(
            f"{where}: the engine refuses it, an operand does not fit a buffer or may not be "
            "combined with the others. Build the model for this engine's configuration."
        )
