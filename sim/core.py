# SPDX-License-Identifier: Apache-2.0
"""Whole programs on the engine core (kernels_rtl/engine_core.sv), at simulation speed.

The memory in front of the core is a model (``sim/core_main.cpp``): a queue of beats that fills at a
set bandwidth after a set latency. Instructions come at once.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.emit.rtl_program import rtl_program_package
from hwgen.emit.rtl_tables import rtl_tables_package
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import load_beats, parameter_beats
from hwgen.program.fields import Region
from hwgen.program.instructions import Load, Matmul, encode
from hwgen.program.program import Program
from sim.runner import KERNELS, MAC_ARRAY, MAC_ARRAY_TWIN, ROOT, verilator_environment

PACKAGES = ("latency_pkg", "mac_pkg", "engine_pkg")
MODULES = (
    "delay", "fifo", "vector_buffer", "work_buffer", "tile_square", "tile_filler", "tile_loader",
    "issuer", "operand_check", "sequencer", "row_memory", "row_accumulator", "row_statistics",
    "leading_shift", "piecewise", "reciprocal", "inverse_sqrt", "scale_ratio", "requantise",
    "row_normalisation", "normalise_lane", "normaliser", "row_maximum", "exponential",
    "exponential_table", "softmax_row", "gelu_lane", "epilogue_lane", "epilogue", "engine_core",
)  # fmt: skip


@dataclass(frozen=True)
class Memory:
    """The memory model: bytes a cycle (12.8 GB/s at 300 MHz), and cycles to the first beat."""

    bytes_per_cycle: float = 12.8e9 / 300e6
    latency: int = 60


def core_parameters(engine: EngineConfig) -> dict[str, int]:
    """Parameters of engine_core for one engine."""
    return {
        "LANES": engine.lanes,
        "MAX_ROWS": engine.max_rows,
        "SCORE_DEPTH": engine.score_depth,
        "RESIDUAL_DEPTH": engine.residual_depth,
        "WORK_DEPTH": engine.work_depth,
        "VALUE_DEPTH": engine.value_depth,
    }


def core_sources(engine: EngineConfig, folder: Path) -> list[Path]:
    """All SystemVerilog sources of the core in order; the generated ones go to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    generated = {
        folder / "hwgen_tables_pkg.sv": rtl_tables_package(),
        folder / "hwgen_program_pkg.sv": rtl_program_package(engine),
    }
    for path, text in generated.items():
        path.write_text(text)
    packages = [KERNELS / f"{name}.sv" for name in PACKAGES]
    twin, _ = MAC_ARRAY_TWIN
    array = [path for path in (*MAC_ARRAY, twin) if path not in packages]
    modules = [KERNELS / f"{name}.sv" for name in MODULES]
    return [*generated, *packages, *array, *modules]


def build_core(engine: EngineConfig, folder: Path, *, twin: bool) -> Path:
    """Compiles the core with its C++ main and returns the program.

    Args:
        twin: the array is the C++ twin, which is several times as fast.
    """
    parameters = core_parameters(engine) | {"TWIN": int(twin)}
    _, twin_arithmetic = MAC_ARRAY_TWIN
    subprocess.run(
        [
            "verilator", "--cc", "--exe", "--build", "-j", "1", "-O3", "-Wall", "--no-timing",
            "--x-assign", "fast", "--x-initial", "fast", "--noassert",
            "-CFLAGS", "-O3 -march=native",
            "--top-module", "engine_core", "--Mdir", str(folder / "build"), "-o", "core",
            *(f"-G{name}={value}" for name, value in parameters.items()),
            *map(str, core_sources(engine, folder)), str(twin_arithmetic),
            str(ROOT / "sim" / "core_main.cpp"),
        ],
        env={**os.environ, **verilator_environment("-O3 -march=native")},
        check=True,
    )  # fmt: skip
    return folder / "build" / "core"


def fetched(program: Program, beats: np.ndarray) -> np.ndarray:
    """What fetch sends during one run, uint8 (n, lanes), from the input beats of one image."""
    parts = []
    for op in program.instructions:
        match op:
            case Load():
                region = beats if op.region == Region.INPUT else program.weights
                parts.append(region[op.offset : op.offset + load_beats(op)])
            case Matmul():
                count = parameter_beats(op, program.engine)
                parts.append(program.weights[op.offset : op.offset + count])
    return np.concatenate(parts)


def run_core(
    core: Path, program: Program, beats: np.ndarray, folder: Path, memory: Memory | None = None
) -> tuple[np.ndarray, int, int]:
    """Runs one image.

    Returns:
        The output region, int16 (vectors, lanes); the cycles; the error code.
    """
    memory = memory or Memory()
    engine = program.engine
    stream = fetched(program, beats)
    vectors = program.output.vectors(engine.lanes)
    bandwidth = round(memory.bytes_per_cycle / engine.lanes * 65536)
    head = [
        engine.lanes, len(program.instructions), len(stream), vectors, engine.prefetch_depth,
        bandwidth, memory.latency,
    ]  # fmt: skip
    case, result = folder / "case.bin", folder / "result.bin"
    with case.open("wb") as file:
        file.write(np.array(head, "<u4").tobytes())
        for op in program.instructions:
            file.write(encode(op).astype("<u4").tobytes())
        file.write(np.ascontiguousarray(stream).tobytes())
    subprocess.run([core, case, result], check=True)
    data = result.read_bytes()
    cycles, code = np.frombuffer(data[:8], "<u4")
    output = np.frombuffer(data[8:], "<i2").reshape(vectors, engine.lanes)
    return output, int(cycles), int(code)
