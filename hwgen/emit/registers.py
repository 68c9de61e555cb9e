# SPDX-License-Identifier: Apache-2.0
"""The control registers of an engine, as Vitis HLS lays them out for these arguments.

0x00 control, 0x04 global interrupt enable, 0x08 interrupt enable, 0x0c interrupt status; arguments
follow from 0x10: a 64-bit one takes two words and a reserved one, a 32-bit output takes a word and
its valid flag.
"""

from dataclasses import dataclass

from hwgen.program.engine import EngineConfig

_FIRST = 0x10


@dataclass(frozen=True)
class Register:
    """An argument's register: byte ``offset``, ``bits`` wide (the low word comes first)."""

    name: str
    offset: int
    bits: int
    meaning: str


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
    result.append(Register("error_code", end, 32, "output: why the run ended, 0 is success"))
    return tuple(result)
