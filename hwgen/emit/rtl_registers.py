# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog package of the control registers."""

from hwgen.emit.rtl_ports import ADDRESS_BITS
from hwgen.emit.templates import render
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import STALLS, register_map


def rtl_registers_package(engine: EngineConfig) -> str:
    """``hwgen_registers_pkg.sv`` for one engine: byte offsets, and the bits of fields."""
    registers = register_map(engine)
    pointers = [register for register in registers if register.writable and register.bits == 64]
    return render(
        "rtl/hwgen_registers_pkg.sv.j2",
        bits=ADDRESS_BITS,
        ports=engine.ports,
        pointers=pointers,
        stalls=STALLS,
        others=[item for item in registers if item not in pointers and item not in STALLS],
    ).decode()
