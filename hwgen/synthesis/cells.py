# SPDX-License-Identifier: Apache-2.0
"""The UltraScale+ cells that Yosys uses: what they take, where paths end, begin and pass."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hwgen.synthesis.delay import Delay

LUT = Delay(luts=1)
CHAIN = Delay(chains=1)
PRODUCT = Delay(products=1)
FREE = Delay()

LUTS = {
    "RAM16X1D": 2, "RAM32X1S": 1, "RAM32X1D": 2, "RAM64X1S": 1, "RAM64X1D": 2,
    "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4, "RAM256X1D": 8, "RAM512X1S": 8,
    "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM32X16DR8": 8, "RAM64X8SW": 8,
    "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1, "INV": 1,
}  # fmt: skip
"""LUTs of each cell that is made of LUTs: distributed RAM, shift registers, inverters.

A RAM64M8 holds 64 x 8 bits with four read ports in the eight LUTs of a slice, a RAM256X1D 256 bits
twice in eight. Two LUTs of five inputs or two short shift registers could share one LUT; that is
left to placement, so these are upper bounds.
"""

_DSP_REGISTERS = {
    "A": ("AREG", "ADREG", "MREG", "PREG"),
    "D": ("DREG", "ADREG", "MREG", "PREG"),
    "B": ("BREG", "MREG", "PREG"),
    "C": ("CREG", "PREG"),
    "PCIN": ("PREG",),
}
"""Registers between an input of a DSP48E2 and its outputs."""


@dataclass(frozen=True)
class Cell:
    """A cell of a netlist.

    Attributes:
        ports: nets of each port, lowest bit first; a constant is negative.
        inputs: names of the ports that are inputs.
        parameters: those that `arcs` needs.
    """

    name: str
    kind: str
    ports: Mapping[str, tuple[int, ...]]
    inputs: frozenset[str]
    parameters: Mapping[str, Any]


def luts(kind: str) -> int:
    """LUTs of one cell of this type."""
    return 1 if kind.startswith("LUT") else LUTS.get(kind, 0)


def arcs(cell: Cell, carries: frozenset[int]) -> Iterator[tuple[int, int, Delay]]:
    """(input net, output net, delay) of each way through a cell that passes no register.

    Args:
        carries: nets that carry chains drive with their carry output.
    """
    kind = cell.kind
    if kind.startswith("LUT") or kind == "INV":
        yield from _all(cell, cell.inputs, ("O",), LUT)
    elif kind.startswith(("MUXF", "BUF")):
        yield from _all(cell, cell.inputs, ("O",), FREE)
    elif kind.startswith("CARRY"):
        yield from _carry(cell, carries)
    elif kind.startswith("DSP"):
        yield from _product(cell)
    elif kind.startswith("SRL"):
        addresses = [name for name in cell.inputs if name.startswith("A")]
        yield from _all(cell, addresses, ("Q", "Q15", "Q31"), LUT)
    elif kind in LUTS:
        yield from _lut_memory(cell)


def _all(
    cell: Cell, inputs: Iterable[str], outputs: tuple[str, ...], delay: Delay
) -> Iterator[tuple[int, int, Delay]]:
    for output in outputs:
        for to in cell.ports.get(output, ()):
            for name in sorted(inputs):
                for net in cell.ports[name]:
                    yield net, to, delay


def _carry(cell: Cell, carries: frozenset[int]) -> Iterator[tuple[int, int, Delay]]:
    ports = cell.ports
    first = [net for name in ("CI", "CI_TOP", "CYINIT") for net in ports.get(name, ())]
    below: list[int] = list(first)
    for index, (select, data) in enumerate(zip(ports["S"], ports["DI"], strict=True)):
        outputs = [bits[index] for name in ("O", "CO") if len(bits := ports.get(name, ())) > index]
        below += [select, data]
        for to in outputs:
            for net in below:
                # From one carry cell to the next it is still the same chain.
                same = net in first and net in carries
                yield net, to, FREE if same else CHAIN


def _product(cell: Cell) -> Iterator[tuple[int, int, Delay]]:
    for name, registers in _DSP_REGISTERS.items():
        if name in cell.ports and not any(_flag(cell, register) for register in registers):
            yield from _all(cell, (name,), ("P", "PCOUT"), PRODUCT)


def _flag(cell: Cell, name: str) -> bool:
    """Whether a register is in use; a register that the netlist does not name is."""
    if name == "ADREG" and _text(cell, "AMULTSEL", "A") == "A":
        return False
    value = cell.parameters.get(name, "1")
    return int(str(value), 2) != 0


def _text(cell: Cell, name: str, default: str) -> str:
    return str(cell.parameters.get(name, default)).strip()


def _lut_memory(cell: Cell) -> Iterator[tuple[int, int, Delay]]:
    """Distributed RAM is written by the clock and read without one, through an address each."""
    ports = cell.ports
    pairs = [("SPO", "A"), ("DPO", "DPRA"), ("O", "A"), ("DO", "A")]
    pairs += [(f"DO{port}", f"ADDR{port}") for port in "ABCDEFGH"]
    for output, address in pairs:
        if output in ports:
            names = [n for n in cell.inputs if n.rstrip("0123456789") == address]
            yield from _all(cell, names, (output,), LUT)
