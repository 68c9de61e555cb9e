# SPDX-License-Identifier: Apache-2.0
"""The HLS project: the engine's C++ with its build scripts, test bench and test data."""

from pathlib import Path

import numpy as np

from hwgen.emit.c_header import HEADER, c_header
from hwgen.emit.headers import config_header, instruction_header, tables_header
from hwgen.emit.templates import render
from hwgen.emit.testbench_data import bench_files, golden_trace
from hwgen.errors import DataError
from hwgen.golden.interpreter import Interpreter
from hwgen.package_data import data_folder
from hwgen.program.engine import EngineConfig
from hwgen.program.memory import WORD_BYTES, stripe
from hwgen.program.program import Program
from hwgen.program.registers import CONTROL, arguments, registers

FOLDER = "hls"
TOP = "hwgen_engine"

_RENDERED = (
    "hwgen_engine.hpp",
    "hwgen_engine.cpp",
    "testbench.cpp",
    "opts.tcl",
    "run.tcl",
    "hls_config.cfg",
    "Makefile",
    "README.md",
)
_REGION_ALIGNMENT = 4096
"""Regions of the test bench's memory start at multiples of this many bytes."""


def hls_project(
    program: Program, part: str, clock_mhz: float, beats: np.ndarray
) -> dict[str, bytes]:
    """All files of the project, names beginning with ``hls/``.

    Args:
        part: the FPGA as Vitis names it, such as ``xczu9eg-ffvb1156-2-e``.
        clock_mhz: target clock.
        beats: test images for ``tb_data/``, uint8 (runs, beats, lanes) from ``InputLayout.pack``;
            the first run is also traced instruction by instruction.

    Raises:
        DataError: no image.
    """
    if not len(beats):
        raise DataError("The HLS test bench needs at least one test image; none was given.")
    engine = program.engine
    vectors = program.output.vectors(engine.lanes)
    values = {
        "top": TOP,
        "name": program.name,
        "engine": engine,
        "control": CONTROL,
        "registers": registers(engine),
        "arguments": arguments(engine),
        "memory_words": _memory_bytes(program, beats) // WORD_BYTES,
        "output_words": vectors * engine.lanes * 2 // WORD_BYTES,
        "images": len(beats) * program.input.batch,
        "alignment": _REGION_ALIGNMENT,
        "part": part,
        "clock_mhz": f"{clock_mhz:g}",
        "clock_ns": f"{1000 / clock_mhz:.3f}",
    }
    files = {name: render(f"hls/{name}.j2", **values) for name in _RENDERED}
    files[HEADER] = c_header(engine, counters=False)
    files |= {f"kernels/{name}": data for name, data in _kernels(engine).items()}
    files |= {f"tb_data/{name}": data for name, data in _test_data(program, beats).items()}
    return {f"{FOLDER}/{name}": data for name, data in files.items()}


def _kernels(engine: EngineConfig) -> dict[str, bytes]:
    """The kernels and the headers made for one engine configuration, side by side."""
    root = data_folder("kernels_hls")
    paths: list[Path] = [*sorted(root.glob("*.hpp")), *sorted(root.glob("csim/*.h"))]
    return {
        **{path.relative_to(root).as_posix(): path.read_bytes() for path in paths},
        "hwgen_config.hpp": config_header(engine).encode(),
        "hwgen_tables.hpp": tables_header().encode(),
        "hwgen_instruction.hpp": instruction_header().encode(),
    }


def _test_data(program: Program, beats: np.ndarray) -> dict[str, bytes]:
    first, trace = golden_trace(program, beats[:1])
    expected = np.concatenate([first, Interpreter(program).run_all(beats[1:])])
    return bench_files(program, beats, expected=expected, trace=trace)


def _memory_bytes(program: Program, beats: np.ndarray) -> int:
    """Bytes of the test bench's memory: program, weights, input of one run, each aligned."""
    pixels = stripe(np.zeros(beats.shape[1:], np.uint8)).nbytes
    regions = (program.image.nbytes, stripe(program.weights).nbytes, pixels)
    return sum(-(-size // _REGION_ALIGNMENT) * _REGION_ALIGNMENT for size in regions)
