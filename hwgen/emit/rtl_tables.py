# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog package of the piecewise polynomials' coefficients."""

from dataclasses import dataclass

from hwgen.emit.templates import render
from hwgen.numerics.piecewise import (
    GUARD_BITS,
    INVERSE_SQRT,
    RECIPROCAL,
    SEGMENT_BITS,
    PiecewiseTable,
)

_TABLES = (RECIPROCAL, INVERSE_SQRT)


@dataclass(frozen=True)
class _Row:
    """One segment, its coefficients as SystemVerilog literals."""

    segment: int
    c0: str
    c1: str
    c2: str


@dataclass(frozen=True)
class _Table:
    name: str
    rows: tuple[_Row, ...]


def _signed(value: int, bits: int) -> str:
    return f"{'-' if value < 0 else ''}{bits}'sd{abs(value)}"


def _rows(table: PiecewiseTable, bits: tuple[int, int, int]) -> tuple[_Row, ...]:
    return tuple(
        _Row(table.first + index, f"{bits[0]}'d{c0}", _signed(c1, bits[1]), f"{bits[2]}'d{c2}")
        for index, (c0, c1, c2) in enumerate(zip(table.c0, table.c1, table.c2, strict=True))
    )


def rtl_tables_package() -> str:
    """``hwgen_tables_pkg.sv``: coefficients of reciprocal and inverse square root."""
    bits = (
        max(max(table.c0) for table in _TABLES).bit_length(),
        max(max(map(abs, table.c1)) for table in _TABLES).bit_length() + 1,
        max(max(table.c2) for table in _TABLES).bit_length(),
    )
    return render(
        "rtl/hwgen_tables_pkg.sv.j2",
        segment_bits=SEGMENT_BITS,
        guard_bits=GUARD_BITS,
        c0_high=bits[0] - 1,
        c1_high=bits[1] - 1,
        c2_high=bits[2] - 1,
        tables=[_Table(table.name, _rows(table, bits)) for table in _TABLES],
    ).decode()
