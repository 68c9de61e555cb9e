# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog of an engine: hand-written modules, packages and the top made for one
configuration, and what simulates it.
"""

from hwgen.emit.c_header import HEADER, c_header
from hwgen.emit.rtl_engine import rtl_engine, rtl_testbench
from hwgen.emit.rtl_program import rtl_program_package
from hwgen.emit.rtl_registers import rtl_registers_package
from hwgen.emit.rtl_tables import rtl_tables_package
from hwgen.emit.templates import render
from hwgen.package_data import data_folder
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import COUNTERS

FOLDER = "rtl"
TOP = "hwgen_engine"
TESTBENCH = "hwgen_testbench"

_PACKAGES = ("mac_pkg", "latency_pkg", "engine_pkg")
"""Each one after those it imports."""
_SIMULATION = "simulation/"


def design_sources(engine: EngineConfig) -> dict[str, bytes]:
    """The synthesisable files, names relative to ``rtl/``, in order of compilation."""
    modules = _modules("*.sv")
    packages = {f"kernels/{name}.sv": modules.pop(f"kernels/{name}.sv") for name in _PACKAGES}
    return {
        "hwgen_program_pkg.sv": rtl_program_package(engine).encode(),
        "hwgen_registers_pkg.sv": rtl_registers_package(engine).encode(),
        "hwgen_tables_pkg.sv": rtl_tables_package().encode(),
        **packages,
        **modules,
        f"{TOP}.sv": rtl_engine(engine).encode(),
    }


def simulation_sources(engine: EngineConfig) -> dict[str, bytes]:
    """What only a simulation needs, SystemVerilog and C++, names relative to ``rtl/``."""
    return {
        **_modules(f"{_SIMULATION}*.sv"),
        **_modules(f"{_SIMULATION}*.cpp"),
        f"{TESTBENCH}.sv": rtl_testbench(engine).encode(),
    }


def rtl_project(engine: EngineConfig) -> dict[str, bytes]:
    """All files, names beginning with ``rtl/``: the same for every model of one engine."""
    design, simulation = design_sources(engine), simulation_sources(engine)
    files = {
        **design,
        **simulation,
        "design.f": _list(design),
        "simulation.f": _list(simulation),
        HEADER: c_header(engine, counters=True),
        "README.md": render(
            "rtl/README.md.j2",
            engine=engine,
            top=TOP,
            testbench=TESTBENCH,
            offset={counter.name: counter.offset for counter in COUNTERS},
        ),
    }
    return {f"{FOLDER}/{name}": data for name, data in files.items()}


def _modules(pattern: str) -> dict[str, bytes]:
    root = data_folder("kernels_rtl")
    return {
        f"kernels/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in sorted(root.glob(pattern))
    }


def _list(files: dict[str, bytes]) -> bytes:
    return "".join(f"{name}\n" for name in files).encode()
