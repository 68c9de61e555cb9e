# SPDX-License-Identifier: Apache-2.0
"""The implementations of the engine that one bench of whole networks takes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.emit.hls import hls_project
from hwgen.emit.rtl import TOP, design_sources, simulation_sources
from hwgen.emit.rtl_engine import hls_engine, rtl_testbench
from hwgen.emit.rtl_program import rtl_program_package
from hwgen.emit.rtl_registers import rtl_registers_package
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.sim.csim_build import select_sources
from hwgen.sim.toolchain import find_ap_types
from sim.runner import KERNELS, ROOT, SIMULATION

MEMORY = (SIMULATION / "ddr_model.sv", SIMULATION / "ddr_memory.cpp")


@dataclass(frozen=True)
class Implementation:
    """A module ``hwgen_engine`` and the test bench around it.

    Attributes:
        sources: SystemVerilog, in order of compilation.
        arguments: more for Verilator, C++ files among them.
        counters: it has the registers from 0x100.
        memory_errors: it tells of error responses.
        contents: of memories, files that the simulation looks for in its folder.
    """

    sources: tuple[Path, ...]
    arguments: tuple[str, ...]
    counters: bool = False
    memory_errors: bool = True
    contents: tuple[Path, ...] = ()


def builtin(engine: EngineConfig, folder: Path) -> Implementation:
    """The RTL engine as ``hwgen build`` emits it."""
    design = write_files(folder, design_sources(engine))
    simulation = write_files(folder, simulation_sources(engine))
    # The trace is for hwgen verify; testbench.cpp is another driver.
    left_out = {"engine_trace.sv", "testbench.cpp"}
    chosen = [path for path in simulation if path.name not in left_out]
    return Implementation(
        sources=(*design, *(path for path in chosen if path.suffix == ".sv")),
        arguments=tuple(str(path) for path in chosen if path.suffix == ".cpp"),
        counters=True,
    )


def hls(program: Program, beats: np.ndarray, folder: Path) -> Implementation:
    """The C++ of the HLS project behind ``templates/rtl/hls_engine.sv.j2``."""
    engine = program.engine
    project = select_sources(hls_project(program, "any", 300, beats))
    write_files(folder, project)
    rtl = {
        "hwgen_program_pkg.sv": rtl_program_package(engine).encode(),
        "hwgen_registers_pkg.sv": rtl_registers_package(engine).encode(),
        f"{TOP}.sv": hls_engine(engine).encode(),
        "hwgen_testbench.sv": rtl_testbench(engine, twin=False).encode(),
    }
    *packages, top, testbench = write_files(folder, rtl)
    memory, memory_bytes = MEMORY
    flags = f"-I{folder} -I{folder}/kernels/csim -isystem {find_ap_types()}"
    compiled = [folder / "hwgen_engine.cpp", ROOT / "sim" / "hls_engine.cpp", memory_bytes]
    return Implementation(
        sources=(*packages, KERNELS / "axi_lite_control.sv", top, memory, testbench),
        arguments=(*map(str, compiled), "-CFLAGS", flags),
    )


def write_files(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """The paths, in order."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return [folder / name for name in files]
