# SPDX-License-Identifier: Apache-2.0
"""The three C++ headers that the kernels include and hwgen generates."""

from dataclasses import dataclass
from enum import IntEnum

from hwgen.emit.templates import render
from hwgen.golden.select import most_heads
from hwgen.numerics.mean import MOST_ROWS
from hwgen.numerics.piecewise import INVERSE_SQRT, RECIPROCAL
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.fields import FIELDS, OPCODE, WORDS, Buffer, Field, Opcode, Region
from hwgen.program.memory import PAGE_BEATS
from hwgen.program.program import MAGIC
from hwgen.program.status import ErrorCode
from hwgen.program.tokens import TOKEN_REGISTERS

_ENUMERATIONS: tuple[tuple[str, type[IntEnum]], ...] = (
    ("Opcode", Opcode),
    ("Buffer", Buffer),
    ("Region", Region),
    ("Error", ErrorCode),
)
_STRUCTURES = {
    Opcode.SET_TOKENS: "SetTokens",
    Opcode.LOAD: "Load",
    Opcode.MATMUL: "Matmul",
    Opcode.ATTENTION: "Attention",
    Opcode.TOKEN_SELECT: "TokenSelect",
}
_KEYWORDS = {"register"}
"""Field names that C++ reserves; the header appends an underscore."""


@dataclass(frozen=True)
class _Bits:
    """A field as bits ``high .. low`` of the whole instruction."""

    name: str
    width: int
    high: int
    low: int
    meaning: str


def _bits(field: Field) -> _Bits:
    name = f"{field.name}_" if field.name in _KEYWORDS else field.name
    low = 32 * field.word + field.low
    return _Bits(name, field.width, low + field.width - 1, low, field.meaning)


def config_header(engine: EngineConfig) -> str:
    """``hwgen_config.hpp``: sizes of one engine configuration and the contract's numbers."""
    return render(
        "hls/hwgen_config.hpp.j2",
        engine=engine,
        magic=MAGIC,
        version=PROGRAM_VERSION,
        page_beats=PAGE_BEATS,
        token_registers=TOKEN_REGISTERS,
        most_heads=most_heads(engine.lanes),
        mean_rows=MOST_ROWS,
        enumerations=_ENUMERATIONS,
    ).decode()


def tables_header() -> str:
    """``hwgen_tables.hpp``: coefficients of reciprocal and inverse square root."""
    return render("hls/hwgen_tables.hpp.j2", tables=(RECIPROCAL, INVERSE_SQRT)).decode()


def instruction_header() -> str:
    """``hwgen_instruction.hpp``: one structure of fields for each opcode."""
    structures = [
        (_STRUCTURES[opcode], [_bits(field) for field in fields])
        for opcode, fields in FIELDS.items()
        if fields
    ]
    return render(
        "hls/hwgen_instruction.hpp.j2", words=WORDS, opcode=_bits(OPCODE), structures=structures
    ).decode()
