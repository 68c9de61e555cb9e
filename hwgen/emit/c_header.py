# SPDX-License-Identifier: Apache-2.0
"""The C header of an engine's control registers."""

from dataclasses import replace

from hwgen.emit.templates import render
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.registers import Register, register_map
from hwgen.program.status import MEANING

HEADER = "xhwgen_engine_hw.h"

_VITIS = {"CTRL": "AP_CTRL", "GIER": "GIE", "IP_IER": "IER", "IP_ISR": "ISR"}
"""Vitis HLS' driver header names these otherwise than its IP core does."""


def c_header(engine: EngineConfig, *, counters: bool) -> bytes:
    """``xhwgen_engine_hw.h``: offsets, widths, masks of fields, error codes, the digest.

    Args:
        counters: the engine has them: the one in SystemVerilog does.
    """
    registers = [
        replace(register, name=_name(register)) for register in register_map(engine, counters)
    ]
    return render(
        f"driver/{HEADER}.j2",
        engine=engine,
        version=PROGRAM_VERSION,
        registers=registers,
        errors=MEANING,
    )


def _name(register: Register) -> str:
    if register.fields:
        return _VITIS.get(register.name, register.name.upper())
    return f"{register.name.upper()}_DATA"
