# SPDX-License-Identifier: Apache-2.0
"""The control registers of an engine, the one description of them.

Control and arguments lie as Vitis HLS lays them out: arguments follow from 0x10, a 64-bit one takes
two words and a reserved one, a 32-bit output takes a word and its valid flag. The RTL engine adds
counters from 0x100, where an engine of Vitis HLS has nothing.
"""

from dataclasses import dataclass

from hwgen.program.engine import EngineConfig

_FIRST = 0x10
_COUNTERS = 0x100


@dataclass(frozen=True)
class Register:
    """A register: byte ``offset``, ``bits`` wide (the low word comes first)."""

    name: str
    offset: int
    bits: int
    meaning: str
    writable: bool = True


CONTROL = (
    Register(
        "control",
        0x00,
        32,
        "start (bit 0, stays until the run ends), done (1, cleared by reading), idle (2), "
        "ready (3, cleared by reading), auto_restart (7), interrupt (9)",
    ),
    Register("global_interrupt", 0x04, 32, "interrupts are let out (bit 0)"),
    Register("interrupt_enable", 0x08, 32, "interrupt at done (bit 0), at ready (1)"),
    Register("interrupt_status", 0x0C, 32, "the same two, as they happened; writing 1 toggles"),
)
"""What starts a run and tells of its end."""


def registers(engine: EngineConfig) -> tuple[Register, ...]:
    """The argument registers in order."""
    memory = [(f"gmem{port}", f"base of memory port {port}") for port in range(engine.ports)]
    arguments = [
        *memory,
        ("output", "byte address of the output region"),
        ("program", "byte address of the program, from the port bases"),
        ("weights", "byte address of the weight region, from the port bases"),
        ("input", "byte address of the input region, from the port bases"),
    ]
    result = [
        Register(name, _FIRST + 12 * index, 64, meaning)
        for index, (name, meaning) in enumerate(arguments)
    ]
    end = _FIRST + 12 * len(arguments)
    result.append(Register("error_code", end, 32, "output: why the run ended, 0 is success", False))
    return tuple(result)


def _counters() -> tuple[Register, ...]:
    fields = (
        ("version", 32, "version of the program format"),
        ("digest", 32, "digest of the engine configuration (word 2 of a program's header)"),
        ("cycles", 64, "cycles of the last run, from start to done"),
        ("stall_issue", 32, "cycles without a row: nothing to do yet"),
        ("stall_tile_load", 32, "... its tile is not in the array"),
        ("stall_pipeline", 32, "... rows, scores or operands are still in the pipeline"),
        ("stall_normalise", 32, "... what is to be normalised is still in the pipeline"),
        ("stall_softmax", 32, "... the table of exponentials is not filled yet"),
        ("stall_drain", 32, "... DDR does not take output fast enough"),
        ("stall_memory", 32, "cycles in which the next weights had not come from DDR"),
    )
    result, offset = [], _COUNTERS
    for name, bits, meaning in fields:
        result.append(Register(name, offset, bits, meaning, False))
        offset += bits // 8
    return tuple(result)


COUNTERS = _counters()
"""Read-only registers of the RTL engine alone. Stalls are counted by cause, in the order of
``waits`` of ``engine_core``; ``stall_memory`` goes on beside the others."""
