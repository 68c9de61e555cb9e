# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog made for one engine: its top, with bus ports and registers around
``engine_core``, and the test bench that puts a memory behind the ports.
"""

from hwgen.emit.templates import render
from hwgen.program.engine import EngineConfig


def rtl_engine(engine: EngineConfig) -> str:
    """``hwgen_engine.sv``: module ``hwgen_engine`` with one read port for each 16 lanes."""
    return _render("hwgen_engine.sv", engine)


def rtl_testbench(engine: EngineConfig) -> str:
    """``hwgen_testbench.sv``: the engine's control port and interrupt; memory is inside."""
    return _render("hwgen_testbench.sv", engine)


def _render(name: str, engine: EngineConfig) -> str:
    values = {"engine": engine, "lanes": engine.lanes, "ports": engine.ports}
    return render(f"rtl/{name}.j2", **values).decode()
