# SPDX-License-Identifier: Apache-2.0
import re

from hwgen.emit.rtl_tables import rtl_tables_package
from hwgen.numerics.piecewise import INVERSE_SQRT, RECIPROCAL, PiecewiseTable

ROW = re.compile(
    r"6'd(\d+): (\w+)_coefficients = '\{c0: 21'd(\d+), c1: (-?)16'sd(\d+), c2: 11'd(\d+)\};"
)


def test_every_coefficient_is_there() -> None:
    """The literals, whose widths are those of the largest coefficients, read back."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for segment, name, c0, sign, c1, c2 in ROW.findall(rtl_tables_package()):
        row = (int(segment), int(c0), int(sign + c1), int(c2))
        found.setdefault(name, []).append(row)
    assert found == {table.name: _rows(table) for table in (RECIPROCAL, INVERSE_SQRT)}


def _rows(table: PiecewiseTable) -> list[tuple[int, ...]]:
    rows = zip(table.c0, table.c1, table.c2, strict=True)
    return [(table.first + index, *row) for index, row in enumerate(rows)]
