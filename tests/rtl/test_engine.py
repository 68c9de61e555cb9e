# SPDX-License-Identifier: Apache-2.0
"""The RTL engine: random programs behind its buses, whole networks from memory to memory."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np

import hwgen
from hwgen.config import Config
from hwgen.emit.rtl import design_sources
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention
from hwgen.program.program import Program
from sim.runner import KERNELS, MAC_ARRAY_TWIN, run_bench
from tests.csim.test_engine import INPUT_BEATS, SMALL, Writer, random_program

SIMULATION = ("simulation/DSP48E2.sv", "simulation/mac_array_twin.sv")


def short_attention(engine: EngineConfig) -> Program:
    """Attention right behind the few rows of its values, and its result sent to DDR: all of it is
    in the queues at once.
    """
    writer = Writer(engine, np.random.default_rng(0))
    writer.load()
    value = writer.matmul(Buffer.VALUE, rows=3, output_slices=1, reduction_slices=1, gelu=0)
    place = (value.destination_address, value.destination_stride)
    scale = (40000, 26, 1000, 40000, 15)
    writer.instructions.append(Attention(2, 0, 3, 0, 0, 2, 50, 3, *place, 100, 2, 1, 1, *scale))
    last = writer.matmul(Buffer.OUTPUT, rows=2, reduction_slices=1, normalise=0, residual=0)
    writer.instructions[-1] = replace(last, source_address=100)
    return writer.program()


def test_random_programs_behind_the_buses(tmp_path: Path) -> None:
    engine = EngineConfig(lanes=16, **(SMALL | {"prefetch_depth": 256}))
    few = replace(engine, max_rows=4)
    rng = np.random.default_rng(0)
    programs = [random_program(engine, seed) for seed in range(2)]
    # Few rows: what one item leaves behind is asked for while it is still on its way.
    programs += [replace(random_program(few, seed), engine=engine) for seed in range(2)]
    programs.append(short_attention(engine))
    cases = [(program, rng.integers(0, 256, (INPUT_BEATS, 16), np.uint8)) for program in programs]
    pickled = tmp_path / "cases.pickle"
    pickled.write_bytes(pickle.dumps(cases))
    sources = [tmp_path / name for name in design_sources(engine)]
    for path, content in zip(sources, design_sources(engine).values(), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    run_bench(
        "hwgen_engine",
        "bench_hwgen_engine",
        tmp_path / "build",
        [*sources, *(KERNELS / name for name in SIMULATION)],
        parameters={"WATCHDOG_BITS": 11},
        arguments=[str(MAC_ARRAY_TWIN[1])],
        environment={"HWGEN_BENCH_CASES": str(pickled)},
        optimise="-O1",
    )


def _measure(design: hwgen.Design) -> int:
    """The cycles of one image of random pixels, whose logits equal the interpreter's."""
    rtl = design.verify("rtl", images=1).rtl
    assert rtl is not None and rtl.array == "faithful"
    assert abs(design.summary.cycles.predicted / rtl.cycles - 1) < 0.05
    return rtl.cycles


def test_whole_networks_from_memory_to_memory() -> None:
    data = Path(hwgen.__file__).parent / "data"
    fashion = hwgen.build(data / "fashion_vit.onnx", calibration=data / "fashion_calibration.npz")
    assert _measure(fashion) < 61_000
    assert _measure(hwgen.build("preset:deit-tiny")) < 340_000
    short = hwgen.build("preset:deit-tiny", config=Config(class_token_only=True))
    assert _measure(short) < 320_000
