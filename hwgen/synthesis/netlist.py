# SPDX-License-Identifier: Apache-2.0
"""Reads the netlist of a module that Yosys wrote as JSON."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwgen.estimate.usage import Usage
from hwgen.synthesis.cells import Cell, luts

_REMARK = "$scopeinfo"
"""Not a cell: says where flattened cells came from."""


@dataclass(frozen=True, eq=False)
class Netlist:
    """The cells of one unit, flat; units inside are cells too.

    Attributes:
        ports: (direction, nets) of each port.
        names: a name for each net that has one in the source.
    """

    ports: Mapping[str, tuple[str, tuple[int, ...]]]
    cells: tuple[Cell, ...]
    names: Mapping[int, str]

    def count(self, *prefixes: str) -> int:
        """Number of cells whose type begins with one of ``prefixes``."""
        return sum(cell.kind.startswith(prefixes) for cell in self.cells)

    def usage(self) -> Usage:
        """What the cells take of the device, units inside left out."""
        kinds = Counter(cell.kind for cell in self.cells)

        def number(*prefixes: str) -> int:
            return sum(n for kind, n in kinds.items() if kind.startswith(prefixes))

        return Usage(
            lut=sum(n * luts(kind) for kind, n in kinds.items()),
            ff=number("FD", "LD"),
            dsp=number("DSP"),
            # Two halves share a block where both are placed; an odd one takes a block.
            bram36=number("RAMB36") + (number("RAMB18") + 1) // 2,
            uram=number("URAM"),
        )


def read_netlist(data: bytes) -> Netlist:
    """One module of Yosys' JSON."""
    module = json.loads(data)
    ports = {
        name: (port["direction"], _nets(port["bits"])) for name, port in module["ports"].items()
    }
    cells = tuple(
        _cell(name, cell) for name, cell in module["cells"].items() if cell["type"] != _REMARK
    )
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if not net["hide_name"]:
            for index, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    label = f"{name}[{index}]" if len(net["bits"]) > 1 else name
                    # The shortest name is the one nearest to the register.
                    names[bit] = min(names.get(bit, label), label, key=lambda n: (len(n), n))
    return Netlist(ports, cells, names)


def _cell(name: str, cell: Mapping[str, Any]) -> Cell:
    directions = cell["port_directions"]
    return Cell(
        name,
        cell["type"],
        {port: _nets(bits) for port, bits in cell["connections"].items()},
        frozenset(port for port, direction in directions.items() if direction == "input"),
        cell["parameters"],
    )


def _nets(bits: list[int | str]) -> tuple[int, ...]:
    """Nets are numbers; constants are written as text."""
    return tuple(bit if isinstance(bit, int) else -1 for bit in bits)
