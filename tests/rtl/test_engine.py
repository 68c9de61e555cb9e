# SPDX-License-Identifier: Apache-2.0
"""The RTL engine on whole programs: random ones behind its buses, networks on the core alone."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.config import Config
from hwgen.emit.rtl_engine import rtl_engine
from hwgen.estimate.cycles import estimate_cycles
from hwgen.golden.interpreter import Interpreter
from hwgen.program.engine import EngineConfig
from sim.core import build_core, core_sources, run_core
from sim.runner import KERNELS, MAC_ARRAY_TWIN, run_bench
from tests.csim.test_engine import INPUT_BEATS, SMALL, random_program

BUS_MODULES = (
    "axi_lite_control", "run_control", "read_port", "prefetch_fifo", "fetch", "store",
)  # fmt: skip


def test_random_programs_behind_the_buses(tmp_path: Path) -> None:
    engine = EngineConfig(lanes=16, **(SMALL | {"prefetch_depth": 256}))
    rng = np.random.default_rng(0)
    cases = [
        (random_program(engine, seed), rng.integers(0, 256, (INPUT_BEATS, 16), np.uint8))
        for seed in range(2)
    ]
    pickled = tmp_path / "cases.pickle"
    pickled.write_bytes(pickle.dumps(cases))
    top = tmp_path / "hwgen_engine.sv"
    top.write_text(rtl_engine(engine))
    buses = [KERNELS / f"{name}.sv" for name in BUS_MODULES]
    run_bench(
        "hwgen_engine",
        "bench_hwgen_engine",
        tmp_path / "build",
        [*core_sources(engine, tmp_path), *buses, top],
        parameters={"WATCHDOG_BITS": 11},
        arguments=[str(MAC_ARRAY_TWIN[1])],
        environment={"HWGEN_BENCH_CASES": str(pickled)},
        optimise="-O1",
    )


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default engine's core with the faithful array, compiled."""
    return build_core(EngineConfig(), tmp_path_factory.mktemp("core"), twin=False)


def _run(core: Path, design: hwgen.Design, folder: Path) -> int:
    """Compares one image of random pixels with the interpreter; the cycles it took."""
    program = design.program
    size = (1, program.input.height, program.input.width, program.input.channels)
    images = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    beats = program.input.pack(images, program.engine.lanes)
    output, cycles, code = run_core(core, program, beats[0], folder)
    assert code == 0
    assert (output == Interpreter(program).run(beats)[0]).all()
    predicted = estimate_cycles(program).total
    assert abs(predicted / cycles - 1) < 0.02
    return cycles


def test_whole_networks_on_the_core(core: Path, tmp_path: Path) -> None:
    data = Path(hwgen.__file__).parent / "data"
    fashion = hwgen.build(data / "fashion_vit.onnx", calibration=data / "fashion_calibration.npz")
    assert _run(core, fashion, tmp_path) < 61_000
    assert _run(core, hwgen.build("preset:deit-tiny"), tmp_path) < 340_000
    short = hwgen.build("preset:deit-tiny", config=Config(class_token_only=True))
    assert _run(core, short, tmp_path) < 320_000
