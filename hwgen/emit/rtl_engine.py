# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog top of an engine: the bus ports and registers around ``engine_core``."""

from hwgen.emit.templates import render
from hwgen.program.engine import EngineConfig


def rtl_engine(engine: EngineConfig) -> str:
    """``hwgen_engine.sv``: module ``hwgen_engine`` with one read port for each 16 lanes."""
    return render(
        "rtl/hwgen_engine.sv.j2", engine=engine, lanes=engine.lanes, ports=engine.ports
    ).decode()
