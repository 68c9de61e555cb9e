# SPDX-License-Identifier: Apache-2.0
"""The control registers of an engine, the one description of them.

Control and arguments lie as Vitis HLS lays them out, under its names: arguments follow from 0x10, a
64-bit one takes two words and a reserved one, a 32-bit output takes a word and its valid flag. The
RTL engine adds counters from 0x100, where an engine of Vitis HLS has nothing.
"""

from dataclasses import dataclass
from typing import Literal

from hwgen.program.engine import EngineConfig

Access = Literal["read-write", "read-only"]

WORD_BITS = 32
"""Of the control port's data."""

RTL_VLNV = "hwgen:overlay:hwgen_engine:1.0"
"""Vendor, library, name and version of the RTL engine as an IP core."""
HLS_VLNV = "xilinx.com:hls:hwgen_engine:1.0"
"""The same of the C++ engine as Vitis HLS exports it. It has no ``COUNTERS``."""

_FIRST = 0x10
_COUNTERS = 0x100


@dataclass(frozen=True)
class BitField:
    """Bits ``low`` to ``low + width - 1`` of a word. ``meaning`` tells what an access does
    besides.
    """

    name: str
    low: int
    width: int
    meaning: str
    access: Access = "read-only"

    @property
    def mask(self) -> int:
        """Ones at the field's place in the word."""
        return (1 << self.width) - 1 << self.low


@dataclass(frozen=True)
class Register:
    """A register: byte ``offset``, ``bits`` wide (the low word comes first).

    Attributes:
        fields: empty where the register is one value.
    """

    name: str
    offset: int
    bits: int
    meaning: str
    writable: bool = True
    fields: tuple[BitField, ...] = ()

    @property
    def access(self) -> Access:
        """As tools write it."""
        return "read-write" if self.writable else "read-only"


@dataclass(frozen=True)
class Word:
    """A 32-bit word at byte ``offset``. A register of 64 bits, ``gmem0``, is the words ``gmem0_1``
    and ``gmem0_2``; a word without fields of its own has one, of all bits.
    """

    name: str
    offset: int
    access: Access
    meaning: str
    fields: tuple[BitField, ...]


CONTROL = (
    Register(
        "CTRL",
        0x00,
        32,
        "start of a run, and its state",
        fields=(
            BitField("AP_START", 0, 1, "starts a run, stays set until it ends", "read-write"),
            BitField("AP_DONE", 1, 1, "a run has ended; cleared by reading"),
            BitField("AP_IDLE", 2, 1, "nothing runs"),
            BitField("AP_READY", 3, 1, "the next run may be started; cleared by reading"),
            BitField("AUTO_RESTART", 7, 1, "runs follow each other", "read-write"),
            BitField("INTERRUPT", 9, 1, "the interrupt is raised"),
        ),
    ),
    Register(
        "GIER",
        0x04,
        32,
        "global interrupt enable",
        fields=(BitField("Enable", 0, 1, "interrupts are let out", "read-write"),),
    ),
    Register(
        "IP_IER",
        0x08,
        32,
        "interrupt enable",
        fields=(
            BitField("CHAN0_INT_EN", 0, 1, "interrupt at done", "read-write"),
            BitField("CHAN1_INT_EN", 1, 1, "interrupt at ready", "read-write"),
        ),
    ),
    Register(
        "IP_ISR",
        0x0C,
        32,
        "interrupt status",
        fields=(
            BitField("CHAN0_INT_ST", 0, 1, "done has come; writing 1 toggles", "read-write"),
            BitField("CHAN1_INT_ST", 1, 1, "ready has come; writing 1 toggles", "read-write"),
        ),
    ),
)
"""What starts a run and tells of its end."""


def arguments(engine: EngineConfig) -> tuple[Register, ...]:
    """The arguments of the C++ function ``hwgen_engine`` in order."""
    memory = [(f"gmem{port}", f"base of memory port {port}") for port in range(engine.ports)]
    pointers = [
        *memory,
        ("output", "byte address of the output region"),
        ("program", "byte address of the program, from the port bases"),
        ("weights", "byte address of the weight region, from the port bases"),
        ("input", "byte address of the input region, from the port bases"),
    ]
    result = [
        Register(name, _FIRST + 12 * index, 64, meaning)
        for index, (name, meaning) in enumerate(pointers)
    ]
    end = _FIRST + 12 * len(pointers)
    result.append(Register("error_code", end, 32, "output: why the run ended, 0 is success", False))
    return tuple(result)


def registers(engine: EngineConfig) -> tuple[Register, ...]:
    """The argument registers in order, and the flag that goes with the output."""
    *pointers, error_code = arguments(engine)
    valid = BitField("error_code_ap_vld", 0, 1, "a run has set error_code; cleared by reading")
    control = Register(
        "error_code_ctrl", error_code.offset + 4, 32, "state of error_code", False, (valid,)
    )
    return (*pointers, error_code, control)


def _counters() -> tuple[Register, ...]:
    counters = (
        ("version", 32, "version of the program format"),
        ("digest", 32, "digest of the engine configuration (word 2 of a program's header)"),
        ("cycles", 64, "cycles of the last run, from start to done"),
        ("stall_issue", 32, "cycles without a row: nothing to do yet"),
        ("stall_tile_load", 32, "cycles without a row: its tile is not in the array"),
        (
            "stall_pipeline",
            32,
            "cycles without a row: rows, scores or operands are still in the pipeline",
        ),
        (
            "stall_normalise",
            32,
            "cycles without a row: what is to be normalised is still in the pipeline",
        ),
        ("stall_softmax", 32, "cycles without a row: the table of exponentials is not filled yet"),
        ("stall_drain", 32, "cycles without a row: DDR does not take output fast enough"),
        ("stall_memory", 32, "cycles in which the next weights had not come from DDR"),
    )
    result, offset = [], _COUNTERS
    for name, bits, meaning in counters:
        result.append(Register(name, offset, bits, meaning, False))
        offset += bits // 8
    return tuple(result)


COUNTERS = _counters()
"""Read-only registers of the RTL engine alone."""

STALLS = tuple(counter for counter in COUNTERS if counter.name.startswith("stall_"))
"""Of them those that count stalls by cause, in the order of ``waits`` of ``engine_core``;
``stall_memory`` goes on beside the others."""


def register_map(engine: EngineConfig, counters: bool = True) -> tuple[Register, ...]:
    """All registers in order of their offset, with or without ``COUNTERS``."""
    return (*CONTROL, *registers(engine), *(COUNTERS if counters else ()))


def words(engine: EngineConfig, counters: bool = True) -> tuple[Word, ...]:
    """The words of ``register_map``, as Vitis HLS names them and a ``.hwh`` shows them."""
    result = []
    for register in register_map(engine, counters):
        count = register.bits // WORD_BITS
        for index in range(count):
            name, meaning = register.name, register.meaning
            if count > 1:
                name = f"{name}_{index + 1}"
                meaning = f"{meaning}, {('low', 'high')[index]} word"
            value = BitField(register.name, 0, WORD_BITS, meaning, register.access)
            fields = register.fields or (value,)
            result.append(Word(name, register.offset + 4 * index, register.access, meaning, fields))
    return tuple(result)
