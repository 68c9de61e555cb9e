# SPDX-License-Identifier: Apache-2.0
"""The package of the control registers: its literals, read back, are the description."""

import re

import pytest

from hwgen.emit.rtl_registers import rtl_registers_package
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import STALLS, register_map, registers
from sim.runner import KERNELS

OFFSET = re.compile(r"address_t (\w+)_OFFSET = 12'h([0-9a-f]{3});")
LISTED = re.compile(r"12'h([0-9a-f]{3}),? +// (\w+)$", re.MULTILINE)
NUMBER = re.compile(r"localparam int (\w+) = (\d+);")


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_every_offset_and_bit_is_there(lanes: int) -> None:
    engine = EngineConfig(lanes=lanes)
    text = rtl_registers_package(engine)
    found = {name: int(value, 16) for value, name in LISTED.findall(text)}
    assert len(found) == engine.ports + 4 + len(STALLS)
    found |= {name: int(value, 16) for name, value in OFFSET.findall(text)}
    for register in register_map(engine):
        name = register.name if register.name in found else register.name.upper()
        assert found.pop(name) == register.offset
    assert not found
    numbers = {name: int(value) for name, value in NUMBER.findall(text)}
    for register in register_map(engine):
        for field in register.fields:
            assert numbers.pop(f"{register.name}_{field.name}".upper()) == field.low
    pointers = [register.name for register in registers(engine) if register.bits == 64]
    assert numbers == {
        "ADDRESS_BITS": 12,
        "PORTS": engine.ports,
        "ARGUMENTS": len(pointers),
        "STALLS": len(STALLS),
        **{f"ARGUMENT_{name.upper()}": pointers.index(name) for name in pointers[engine.ports :]},
    }


def test_the_control_port_has_no_offset_of_its_own() -> None:
    assert not re.search(r"'h\w|'d[4-9]|0x", (KERNELS / "axi_lite_control.sv").read_text())
