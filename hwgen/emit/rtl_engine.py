# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog made for one engine: its top, with bus ports and registers around
``engine_core``, and the test bench that puts a memory behind the ports.
"""

from collections.abc import Iterable
from typing import Any

from hwgen.emit.rtl_ports import Port, engine_ports
from hwgen.emit.templates import render
from hwgen.program.engine import EngineConfig


def rtl_engine(engine: EngineConfig) -> str:
    """``hwgen_engine.sv``: module ``hwgen_engine`` with one read port for each 16 lanes."""
    return _render("hwgen_engine.sv", engine)


def hls_engine(engine: EngineConfig) -> str:
    """The same module around the emitted C++ engine, for simulation: see ``sim/hls_engine.cpp``."""
    return render("rtl/hls_engine.sv.j2", engine=engine, ports=engine_ports(engine)).decode()


def rtl_testbench(
    engine: EngineConfig, ports: Iterable[Port] | None = None, *, twin: bool = True
) -> str:
    """``hwgen_testbench.sv``: the engine's control port and interrupt; memory is inside.

    Args:
        ports: those of another module ``hwgen_engine`` than that of ``rtl_engine``.
        twin: the module has the parameter TWIN.
    """
    connections = [port.connection for port in ports or engine_ports(engine)]
    return _render("hwgen_testbench.sv", engine, connections=connections, twin=twin)


def _render(name: str, engine: EngineConfig, **more: Any) -> str:
    values = {"engine": engine, "lanes": engine.lanes, "ports": engine.ports, **more}
    return render(f"rtl/{name}.j2", **values).decode()
